"""Administration of the models: families come and go, and their versions are found for whoever runs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from generated.radiomics.Model_pb2 import ModelsCollection
from segint_grpc import errors
from segint_grpc.domain.models import ConstraintPolicy, FamilyRecord, FileRecord
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules
from segint_grpc.domain.versions import Act, VersionState
from segint_grpc.service.catalogue import Catalogue, ResolvedModel
from segint_grpc.service.changes import Changes
from segint_grpc.service.family_changes import keep_unknown, redefined
from segint_grpc.service.family_drafts import Wishes, complete
from segint_grpc.service.family_rules import check_family, parse_family
from segint_grpc.service.family_views import FamilyView
from segint_grpc.service.file_keeping import ModelFiles
from segint_grpc.service.fitness import BackEndView, Fitness
from segint_grpc.service.hop import Hop
from segint_grpc.service.sample_family import BACKEND, sample_family
from segint_grpc.service.versions import Versions
from segint_grpc.store.store import Store

__all__ = ["Models", "Removed", "ResolvedModel"]

log = logging.getLogger(__name__)

Cancel = Callable[[str], Awaitable[object]]
"""Cancels the job of the id that it is given."""


@dataclass(frozen=True)
class Removed:
    """What went with a family."""

    jobs_cancelled: int
    files_removed: int


class Models:
    """The use cases around families; those around `files` and single `versions` are beside it."""

    def __init__(
        self,
        store: Store,
        hop: Hop,
        changes: Changes | None = None,
        remotes: RemoteRules = HERE_ALONE,
        interpreters: Mapping[str, str] | None = None,
    ) -> None:
        """Work on `store`, one change at a time, and tell `changes` of each; the rest as in Fitness."""
        self._store = store
        self._hop = hop
        self._changes = changes or Changes()
        self._fitness = Fitness(store.media, remotes, interpreters)
        self._catalogue = Catalogue(store, self._fitness)
        self.files = ModelFiles(store, hop, self._fitness, self._changes)
        self.versions = Versions(store, hop, self._catalogue, self._fitness, self._changes)

    async def offered(self) -> ModelsCollection:
        """Return what clients are offered: families oldest first, with their active versions."""
        return await self._hop.run(self._catalogue.offered)

    async def resolve(self, version_id: str, posted: bool = False) -> ResolvedModel:
        """Return what it takes to run a job of a version; with `posted`, of a job that was taken before.

        A version that was retired since runs the jobs that were posted, and takes no others.

        Raises:
            UnknownModel: the version is not offered; the message says why.
        """
        return await self._hop.run(self._catalogue.resolve, version_id, posted)

    async def usable(self, version_id: str) -> ResolvedModel:
        """Return what it takes to run a version for an administrator, whether it is offered or not.

        Raises:
            UnknownModel: there is no such version.
            InvalidModel, NotApproved: it cannot run.
        """
        return await self._hop.run(self._catalogue.usable, version_id)

    async def family(self, canonical_name: str) -> FamilyView:
        """Return the family of that name; raises UnknownFamily."""
        record = await self._hop.run(self._record, canonical_name)
        return await self._hop.run(self._catalogue.view, record)

    async def families(self) -> list[FamilyView]:
        """Return every family, oldest first, with what keeps its versions from being offered."""
        return await self._hop.run(self._catalogue.families)

    async def add_sample_family(self) -> None:
        """Give a home without families the sample family, so that the server answers at once."""
        family = sample_family()
        if not await self._hop.run(self._lacks, family.CanonicalName):
            return
        await self.import_family(family.SerializeToString(deterministic=True))
        for version in family.ModelVersions:
            await self.versions.offer_sample(version.ID, BACKEND)

    async def import_family(
        self, body: bytes, policy: ConstraintPolicy = ConstraintPolicy.WARN
    ) -> FamilyView:
        """Keep the family that `body` serializes, to the byte; one of the same canonical name is replaced.

        Raises:
            UnparsableMessage, InvalidModel: it is no family, or none whose versions could run.
            AlreadyExists: another family has a version of the same id.
            JobsUnfinished: a version that the family no longer has still has jobs.
        """
        async with self._changes.lock:
            record = await self._hop.complete(self._import, body, policy)
            return await self._published(record, "family imported")

    async def create_family(
        self, written: Any, wishes: Wishes, policy: ConstraintPolicy = ConstraintPolicy.ENFORCE
    ) -> FamilyView:
        """Keep a new family: what `written` (see presence.py) leaves open is as `wishes` says, or asked for.

        Raises:
            InvalidFields, InvalidModel: something is missing, unknown, or could not run.
            AlreadyExists: a family of that name is here, or another has a version of the same id.
        """
        async with self._changes.lock:
            record = await self._hop.complete(self._create, written, wishes, policy)
            return await self._published(record, "family created")

    async def update_family(
        self, wanted: bytes, revision: int, policy: ConstraintPolicy | None = None, from_text: bool = False
    ) -> FamilyView:
        """Replace a family by the serialized `wanted`, if it is still at `revision`.

        A family that went through JSON or text (`from_text`) keeps the unknown fields that it had.

        Raises:
            UnparsableMessage, InvalidModel: it is no family, or none whose versions could run.
            UnknownFamily: there is none of that name.
            Outdated: somebody else has changed it meanwhile.
            AlreadyExists, JobsUnfinished: see `import_family`.
        """
        async with self._changes.lock:
            record = await self._hop.complete(self._update, wanted, revision, policy, from_text)
            return await self._published(record, "family updated")

    async def remove(self, canonical_name: str, cancel: Cancel | None = None) -> Removed:
        """Remove a family, its versions and the files that nothing else uses.

        With `cancel`, unfinished jobs of its versions are cancelled, else they forbid the removal.

        Raises:
            UnknownFamily: there is none of that name; the message lists those there are.
            JobsUnfinished: jobs are unfinished, and `cancel` is None.
        """
        # A caller that goes away in the middle must not leave half of it.
        return await asyncio.shield(self._remove(canonical_name, cancel))

    async def back_ends(self) -> list[BackEndView]:
        """Return the installed back ends, by name."""
        return await self._hop.run(self._fitness.back_ends)

    async def _published(self, record: FamilyRecord, what: str) -> FamilyView:
        """Tell of a family that has changed, and return it."""
        log.info(what, extra={"family": record.canonical_name, "revision": record.revision})
        await self._changes.tell([version.version_id for version in record.versions])
        return await self._hop.run(self._catalogue.view, record)

    def _lacks(self, sample: str) -> bool:
        """Return whether there is no family but the family `sample`, and that was never offered.

        The second is so where a first start was killed in the middle.
        """
        records = self._store.models.families()
        if [record.canonical_name for record in records] != [sample]:
            return not records
        states = [version.state for version in records[0].versions]
        kinds = [event.kind for event in self._store.model_events.events(sample)]
        return set(states) == {VersionState.DRAFT} and Act.FORCE not in kinds

    def _import(self, body: bytes, policy: ConstraintPolicy) -> FamilyRecord:
        family = parse_family(body)
        check_family(family)
        name = family.CanonicalName
        before = next((r for r in self._store.models.families() if r.canonical_name == name), None)
        record = self._store.models.import_family(
            name,
            [version.ID for version in family.ModelVersions],
            body,
            policy,
            redefined(before.body, family) if before else (),
        )
        self._write_copy(record)
        return record

    def _create(self, written: Any, wishes: Wishes, policy: ConstraintPolicy) -> FamilyRecord:
        family = complete(written, wishes, datetime.now(UTC))
        version_ids = [version.ID for version in family.ModelVersions]
        body = written.SerializeToString()
        record = self._store.models.create_family(family.CanonicalName, version_ids, body, policy)
        self._write_copy(record)
        return record

    def _update(
        self, wanted: bytes, revision: int, policy: ConstraintPolicy | None, from_text: bool
    ) -> FamilyRecord:
        family = parse_family(wanted)
        check_family(family)
        before = self._record(family.CanonicalName)
        if from_text:
            keep_unknown(family, parse_family(before.body))
        record = self._store.models.update_family(
            replace(before, revision=revision),
            [version.ID for version in family.ModelVersions],
            family.SerializeToString() if from_text else wanted,
            policy or before.policy,
            redefined(before.body, family),
        )
        self._write_copy(record)
        return record

    def _write_copy(self, record: FamilyRecord) -> None:
        try:
            self._store.media.write_family_copy(record.canonical_name, record.body)
        except (OSError, errors.DiskFull) as error:
            # The copy is for people to find; the family itself is in the database by now.
            log.warning("no copy of the family %r could be written: %s", record.canonical_name, error)

    def _record(self, canonical_name: str) -> FamilyRecord:
        records = {record.canonical_name: record for record in self._store.models.families()}
        if canonical_name not in records:
            here = ", ".join(repr(name) for name in records) or "none"
            text = f"No model family {canonical_name!r} is here; there is {here}."
            raise errors.UnknownFamily(text, canonical_name, records)
        return records[canonical_name]

    def _removable(self, canonical_name: str, forced: bool) -> list[str]:
        """Return the ids of the family's versions; raises as `remove`."""
        version_ids = [version.version_id for version in self._record(canonical_name).versions]
        unfinished = 0 if forced else len(self._store.jobs.unfinished(version_ids))
        if unfinished:
            raise errors.JobsUnfinished(
                f"{unfinished} jobs of the family {canonical_name!r} are unfinished; "
                "wait for them, or remove it with force, which cancels them."
            )
        return version_ids

    async def _remove(self, canonical_name: str, cancel: Cancel | None) -> Removed:
        async with self._changes.lock:
            version_ids = await self._hop.run(self._removable, canonical_name, cancel is not None)
            files = await self._hop.complete(self._store.models.remove_family, canonical_name)
            # Only now: no job can be posted any more for what is gone.
            jobs_cancelled = await self._cancel_jobs(version_ids, cancel) if cancel else 0
            await self._changes.tell(version_ids)
            await self._hop.complete(self._remove_files, canonical_name, files)
        log.info("family removed", extra={"family": canonical_name, "jobs_cancelled": jobs_cancelled})
        return Removed(jobs_cancelled, len(files))

    async def _cancel_jobs(self, version_ids: list[str], cancel: Cancel) -> int:
        jobs = await self._hop.run(self._store.jobs.unfinished, version_ids)
        for job in jobs:
            await cancel(job.id)
        return len(jobs)

    def _remove_files(self, canonical_name: str, files: list[FileRecord]) -> None:
        for file in files:
            self._store.media.remove_model_file(file)
        self._store.media.remove_family_copy(canonical_name)
