"""The files that versions use: they are uploaded or taken from the inbox, approved, and go when unused."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.service.changes import Changes
from segint_grpc.service.fitness import Fitness
from segint_grpc.service.hop import Hop
from segint_grpc.service.model_files import FileIntake, check_offer
from segint_grpc.store.media import MediaKind
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)

CHUNK_BYTES = 1024 * 1024

PREFIX_MIN = 8
"""So many digits of a SHA-256 a person has to type at least."""


@dataclass(frozen=True)
class StoredFileView:
    """A stored file, the IDs of the versions that use it, and whether its code may run (UTC)."""

    file: FileRecord
    used_by: tuple[str, ...]
    carries_code: bool
    approved_at: datetime | None


class ModelFiles:
    """Every use case around model files."""

    def __init__(self, store: Store, hop: Hop, fitness: Fitness, changes: Changes) -> None:
        """Work on `store`; `changes` is shared with whatever else changes the models."""
        self._store = store
        self._hop = hop
        self._fitness = fitness
        self._changes = changes

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
            async with self._changes.lock:
                return await self._hop.complete(self._keep, intake)
        finally:
            await self._hop.complete(intake.discard)

    async def adopt(self, name: str) -> FileRecord:
        """Store the file `name` of the inbox, and take it out of there.

        Raises:
            InvalidModel: the name cannot be a model file's, or the file is empty.
            NotFound: no such file lies there; the message lists those that do.
            Unavailable: it cannot be read, or still changes.
            DiskFull: there is no room for it.
        """
        offer = await self._hop.run(self._store.inbox.measure, name)
        async with self._changes.lock:
            return await self._hop.complete(self._adopt, offer)

    async def inbox(self) -> list[str]:
        """Return the names of the files that lie in the inbox."""
        return await self._hop.run(self._store.inbox.names)

    async def files(self) -> list[StoredFileView]:
        """Return every stored file, in the order in which they came."""
        return await self._hop.run(self._views)

    async def find(self, sha256: str) -> FileRecord:
        """Return the stored file of that content; raises NotFound where there is none."""
        return await self._hop.run(self._store.model_files.find, sha256.lower())

    async def chunks(self, file: FileRecord) -> AsyncIterator[bytes]:
        """Yield a stored file in pieces of at most `CHUNK_BYTES`; raises NotFound where it is gone."""
        try:
            opened = await self._hop.run(self._store.media.model_file_path(file).open, "rb")
        except FileNotFoundError:
            raise errors.NotFound(
                f"The file {file.name} is missing on the server; upload it again."
            ) from None
        with opened:
            while chunk := await self._hop.run(opened.read, CHUNK_BYTES):
                yield chunk

    async def approve(self, sha256: str) -> StoredFileView:
        """Let the code of the file run whose SHA-256 begins with `sha256`.

        Raises:
            InvalidModel: these are fewer than eight hexadecimal digits, or several files begin so.
            NotFound: no file does.
        """
        async with self._changes.lock:
            view = await self._hop.complete(self._approve, sha256.lower())
            log.info("code approved", extra={"file": view.file.name, "sha256": view.file.sha256})
            await self._changes.tell()
            return view

    async def drop_unused(self, unused_s: float) -> int:
        """Remove the files that came more than `unused_s` ago and that no version uses; return how many."""
        async with self._changes.lock:
            return await self._hop.complete(self._drop_unused, unused_s)

    def _keep(self, intake: FileIntake) -> FileRecord:
        file = intake.keep()
        self._store.model_files.add(file)
        log.info("model file stored", extra={"file": file.name, "bytes": file.size_bytes})
        return file

    def _adopt(self, offer: FileRecord) -> FileRecord:
        check_offer(offer)
        media = self._store.media
        temporary, final = media.temporary(MediaKind.MODEL), media.model_file_path(offer)
        try:
            self._store.inbox.lend(offer, temporary)
            media.publish(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        self._store.model_files.add(offer)
        self._store.inbox.remove(offer.name)
        log.info("model file adopted", extra={"file": offer.name, "bytes": offer.size_bytes})
        return offer

    def _views(self) -> list[StoredFileView]:
        approvals = self._store.model_files.approvals()
        versions = [version for family in self._store.models.families() for version in family.versions]
        runtimes = [(version.version_id, version.runtime) for version in versions if version.runtime]
        views = []
        for file in self._store.model_files.files():
            users = {name: runtime for name, runtime in runtimes if file in runtime.files}
            loading = [run for run in users.values() if file in (run.model_file, run.module_file)]
            # A scan for checks is read as voxels, whatever it holds.
            code = bool(loading or not users) and self._fitness.may_carry_code(file, loading)
            views.append(StoredFileView(file, tuple(users), code, approvals.get(file.sha256)))
        return views

    def _approve(self, sha256: str) -> StoredFileView:
        if len(sha256) < PREFIX_MIN or not set(sha256) <= set("0123456789abcdef"):
            raise errors.InvalidModel(f"A file is named by at least {PREFIX_MIN} digits of its SHA-256.")
        files = self._store.model_files.files()
        meant = [file for file in files if file.sha256.startswith(sha256)]
        if not meant:
            here = ", ".join(f"{file.name} {file.sha256[:12]}" for file in files) or "none"
            text = f"No file with a SHA-256 of {sha256}… is here; there is {here}."
            raise errors.NotFound(text, sha256, [file.sha256 for file in files])
        if len({file.sha256 for file in meant}) > 1:
            raise errors.InvalidModel(f"Several files have a SHA-256 of {sha256}…; give more digits.")
        self._store.model_files.approve(meant[0].sha256)
        return next(view for view in self._views() if view.file == meant[0])

    def _drop_unused(self, unused_s: float) -> int:
        files = self._store.model_files.forget_unused(unused_s)
        for file in files:
            self._store.media.remove_model_file(file)
            log.info("unused model file removed", extra={"file": file.name})
        return len(files)
