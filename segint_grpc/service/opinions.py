"""What users and clients said of segmentations, with the version and the structures that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from generated.radiomics.Model_pb2 import Structure
from segint_grpc import errors
from segint_grpc.domain.opinions import Opinion
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.family_rules import parse_family
from segint_grpc.store.opinions import OpinionKind


@dataclass(frozen=True)
class VersionFacts:
    """What an opinion on a version needs to be understood; empty where the version is gone."""

    canonical_name: str = ""
    structures: tuple[Structure, ...] = ()


@dataclass(frozen=True)
class OpinionView:
    """An opinion, and the version that it is on."""

    opinion: Opinion
    version: VersionFacts = VersionFacts()


class Opinions:
    """Lists them newest first, a page at a time: from behind the number `after` on, where it is not 0."""

    def __init__(self, context: ServiceContext) -> None:
        """Ask the store of `context`."""
        self._store = context.store
        self._hop = context.hop

    async def feedback(
        self, model_id: str, received_from: datetime | None, after: int, limit: int
    ) -> list[OpinionView]:
        """Return the feedback on the jobs of `model_id`, or on all where it is empty."""
        return await self._hop.run(self._feedback, model_id, received_from, after, limit)

    async def telemetry(
        self, model_id: str, received_from: datetime | None, after: int, limit: int
    ) -> list[OpinionView]:
        """Return the telemetry on the jobs of `model_id`, or on all where it is empty."""
        page = self._store.opinions.page
        found = await self._hop.run(page, OpinionKind.TELEMETRY, model_id, received_from, after, limit)
        return [OpinionView(opinion) for opinion in found]

    def _feedback(
        self, model_id: str, received_from: datetime | None, after: int, limit: int
    ) -> list[OpinionView]:
        found = self._store.opinions.page(OpinionKind.FEEDBACK, model_id, received_from, after, limit)
        versions = self._versions({opinion.model_id for opinion in found if opinion.model_id})
        return [OpinionView(opinion, versions.get(opinion.model_id, VersionFacts())) for opinion in found]

    def _versions(self, version_ids: Iterable[str]) -> dict[str, VersionFacts]:
        return {version_id: self._facts(version_id) for version_id in version_ids}

    def _facts(self, version_id: str) -> VersionFacts:
        try:
            record, _ = self._store.models.version(version_id)
            family = parse_family(record.body)
        except errors.SegIntError:
            # The family was removed since, or is broken; what was said of it is told all the same.
            return VersionFacts()
        structures = (v.Structures for v in family.ModelVersions if version_id == v.ID)
        return VersionFacts(record.canonical_name, tuple(next(structures, ())))
