"""How the jobs of the versions went."""

from __future__ import annotations

from dataclasses import replace

from segint_grpc import errors
from segint_grpc.domain.job_statistics import MemoryUse, VersionStatistics
from segint_grpc.service.context import ServiceContext


class Statistics:
    """Answers from the store."""

    def __init__(self, context: ServiceContext) -> None:
        """Ask the store of `context`."""
        self._store = context.store
        self._hop = context.hop

    async def versions(self, version_id: str = "") -> list[VersionStatistics]:
        """Return the statistics of one version, or of every one: those there are, then those that were.

        Raises:
            UnknownModel: `version_id` is no version, and never had a job.
        """
        return await self._hop.run(self._versions, version_id)

    async def volumes_ml(self, version_id: str) -> dict[str, list[float]]:
        """Return the volumes of a version's recent masks, by StructureID, newest first."""
        return await self._hop.run(self._store.statistics.volumes_ml, version_id)

    async def memory(self, version_id: str) -> list[MemoryUse]:
        """Return what a version's recent runs took, newest first."""
        return await self._hop.run(self._store.statistics.memory, version_id)

    def _versions(self, version_id: str) -> list[VersionStatistics]:
        measured = self._store.statistics.versions(version_id)
        here = [version.version_id for family in self._store.models.families() for version in family.versions]
        if version_id and version_id not in (*here, *measured):
            known = ", ".join(map(repr, here)) or "none"
            text = f"There is no version {version_id!r}; there is {known}."
            raise errors.UnknownModel(text, version_id, here)
        shown = [version_id] if version_id else list(dict.fromkeys([*here, *measured]))
        loads = self._store.versions.loads(version_id)
        counted = [measured.get(name, VersionStatistics(name)) for name in shown]
        return [replace(one, load=loads.get(one.version_id)) for one in counted]
