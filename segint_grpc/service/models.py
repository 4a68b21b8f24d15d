"""Administration of the models: families come and go, files are attached, versions get what runs them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from generated.radiomics.Model_pb2 import ModelsCollection
from segint_grpc import backends, errors
from segint_grpc.domain.models import ConstraintPolicy, FamilyRecord, FileRecord, RuntimeRecord
from segint_grpc.service.catalogue import Catalogue, FamilyView, ResolvedModel, VersionView
from segint_grpc.service.family_rules import check_family, is_clean, parse_family
from segint_grpc.service.hop import Hop
from segint_grpc.service.model_files import FileIntake
from segint_grpc.service.sample_family import BACKEND, sample_family
from segint_grpc.store.store import Store

__all__ = ["BackEndView", "Models", "Removed", "ResolvedModel"]

log = logging.getLogger(__name__)

Cancel = Callable[[str], Awaitable[object]]
"""Cancels the job of the id that it is given."""


@dataclass(frozen=True)
class BackEndView:
    """An installed back end: what it is for, and why it cannot be used (empty where it can)."""

    name: str
    summary: str
    problem: str


@dataclass(frozen=True)
class Removed:
    """What went with a family."""

    jobs_cancelled: int
    files_removed: int


class Models:
    """Every use case around models. Changes are made one at a time, so that none sees half of another."""

    def __init__(
        self, store: Store, hop: Hop, on_change: Callable[[str], Awaitable[None]] | None = None
    ) -> None:
        """Work on `store`; `on_change` is awaited with the id of every version that was changed."""
        self._store = store
        self._hop = hop
        self._on_change = on_change
        self._catalogue = Catalogue(store)
        self._changing = asyncio.Lock()

    async def offered(self) -> ModelsCollection:
        """Return what clients are offered: families oldest first, with the versions that can run."""
        return await self._hop.run(self._catalogue.offered)

    async def resolve(self, version_id: str) -> ResolvedModel:
        """Return what it takes to run a version; raises UnknownModel where it is not offered."""
        return await self._hop.run(self._catalogue.resolve, version_id)

    async def families(self) -> list[FamilyView]:
        """Return every family, oldest first, with what keeps its versions from being offered."""
        return await self._hop.run(self._catalogue.families)

    async def add_sample_family(self) -> None:
        """Give a home without families the sample family, so that the server answers at once."""
        if await self._hop.run(self._store.models.families):
            return
        family = sample_family()
        await self.import_family(family.SerializeToString(deterministic=True))
        for version in family.ModelVersions:
            await self.set_runtime(version.ID, RuntimeRecord(BACKEND))

    async def import_family(
        self, body: bytes, policy: ConstraintPolicy = ConstraintPolicy.WARN
    ) -> FamilyView:
        """Keep the family that `body` serializes, to the byte; one of the same canonical name is replaced.

        Raises:
            UnparsableMessage, InvalidModel: it is no family, or none whose versions could run.
            AlreadyExists: another family has a version of the same id.
        """
        async with self._changing:
            record = await self._hop.complete(self._import, body, policy)
            log.info("family imported", extra={"family": record.canonical_name})
            await self._tell_changes([version.version_id for version in record.versions])
            return await self._hop.run(self._catalogue.view, record)

    async def upload(self, offer: FileRecord, chunks: AsyncIterator[bytes]) -> FileRecord:
        """Store the file that `offer` promises and `chunks` bring; a failed upload leaves nothing.

        Raises:
            InvalidModel: the name cannot be a file's, or size or SHA-256 are not as promised.
            DiskFull: there is no room for it.
        """
        intake = await self._hop.complete(FileIntake, offer, self._store.media)
        try:
            async for chunk in chunks:
                await self._hop.run(intake.take, chunk)
            async with self._changing:
                return await self._hop.complete(self._keep_file, intake)
        finally:
            await self._hop.complete(intake.discard)

    async def set_runtime(self, version_id: str, wanted: RuntimeRecord) -> VersionView:
        """Let `wanted` run a version from the next job on; of its files only SHA-256 and name count.

        Raises:
            UnknownModel: there is no such version.
            NotFound: a file has not been uploaded.
            InvalidModel: the back end is not here, or of no use for these files and parameters.
        """
        async with self._changing:
            view = await self._hop.complete(self._set_runtime, version_id, wanted)
            log.info("runtime set", extra={"model": version_id, "backend": wanted.backend})
            await self._tell_changes([version_id])
            return view

    async def remove(self, canonical_name: str, cancel: Cancel | None = None) -> Removed:
        """Remove a family, its versions and the files that nothing else uses.

        With `cancel`, unfinished jobs of its versions are cancelled, else they forbid the removal.

        Raises:
            UnknownFamily: there is none of that name; the message lists those there are.
            JobsUnfinished: jobs are unfinished, and `cancel` is None.
        """
        # A caller that goes away in the middle must not leave half of it.
        return await asyncio.shield(self._remove(canonical_name, cancel))

    async def drop_unused_files(self, unused_s: float) -> int:
        """Remove the files that came more than `unused_s` ago and that no version uses; return how many."""
        async with self._changing:
            return await self._hop.complete(self._drop_unused_files, unused_s)

    async def back_ends(self) -> list[BackEndView]:
        """Return the installed back ends, by name."""
        return await self._hop.run(self._list_back_ends)

    def _import(self, body: bytes, policy: ConstraintPolicy) -> FamilyRecord:
        family = parse_family(body)
        check_family(family)
        version_ids = [version.ID for version in family.ModelVersions]
        record = self._store.models.import_family(family.CanonicalName, version_ids, body, policy)
        try:
            self._store.media.write_family_copy(family.CanonicalName, body)
        except (OSError, errors.DiskFull) as error:
            # The copy is for people to find; the family itself is in the database by now.
            log.warning("no copy of the family %r could be written: %s", family.CanonicalName, error)
        return record

    def _keep_file(self, intake: FileIntake) -> FileRecord:
        file = intake.keep()
        self._store.models.add_file(file)
        log.info("model file stored", extra={"file": file.name, "bytes": file.size_bytes})
        return file

    def _set_runtime(self, version_id: str, wanted: RuntimeRecord) -> VersionView:
        record, version = self._store.models.version(version_id)
        _check_parameters(wanted)
        runtime = replace(
            wanted,
            model_file=self._stored(wanted.model_file),
            module_file=self._stored(wanted.module_file),
        )
        back_end = self._catalogue.back_end(runtime.backend)
        back_end.check(self._catalogue.describe(record, version, runtime).source)
        self._store.models.set_runtime(version_id, runtime)
        record, _ = self._store.models.version(version_id)
        views = self._catalogue.view(record).versions
        return next(view for view in views if view.version_id == version_id)

    def _stored(self, file: FileRecord | None) -> FileRecord | None:
        return self._store.models.file(file.sha256, file.name) if file else None

    def _removable(self, canonical_name: str, forced: bool) -> list[str]:
        """Return the ids of the family's versions; raises as `remove`."""
        records = {record.canonical_name: record for record in self._store.models.families()}
        if canonical_name not in records:
            here = ", ".join(repr(name) for name in records) or "none"
            raise errors.UnknownFamily(f"No model family {canonical_name!r} is here; there is {here}.")
        version_ids = [version.version_id for version in records[canonical_name].versions]
        unfinished = 0 if forced else len(self._store.jobs.unfinished(version_ids))
        if unfinished:
            raise errors.JobsUnfinished(
                f"{unfinished} jobs of the family {canonical_name!r} are unfinished; "
                "wait for them, or remove it with force, which cancels them."
            )
        return version_ids

    async def _remove(self, canonical_name: str, cancel: Cancel | None) -> Removed:
        async with self._changing:
            version_ids = await self._hop.run(self._removable, canonical_name, cancel is not None)
            files = await self._hop.complete(self._store.models.remove_family, canonical_name)
            # Only now: no job can be posted any more for what is gone.
            jobs_cancelled = await self._cancel_jobs(version_ids, cancel) if cancel else 0
            await self._tell_changes(version_ids)
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

    def _drop_unused_files(self, unused_s: float) -> int:
        files = self._store.models.forget_unused_files(unused_s)
        for file in files:
            self._store.media.remove_model_file(file)
            log.info("unused model file removed", extra={"file": file.name})
        return len(files)

    def _list_back_ends(self) -> list[BackEndView]:
        return [self._back_end_view(name) for name in backends.names()]

    def _back_end_view(self, name: str) -> BackEndView:
        try:
            return BackEndView(name, self._catalogue.back_end(name).summary, "")
        except errors.SegIntError as error:
            return BackEndView(name, "", error.message)

    async def _tell_changes(self, version_ids: list[str]) -> None:
        if self._on_change:
            for version_id in version_ids:
                await self._on_change(version_id)


def _check_parameters(runtime: RuntimeRecord) -> None:
    """Raise InvalidModel where a runtime's entry or parameters cannot be kept."""
    if not is_clean(runtime.entry):
        raise errors.InvalidModel(f"The entry {runtime.entry[:64]!r} has control characters.")
    try:
        json.dumps(dict(runtime.parameters), allow_nan=False)
    except (TypeError, ValueError):
        raise errors.InvalidModel("A parameter is infinite or no number; JSON cannot hold it.") from None
