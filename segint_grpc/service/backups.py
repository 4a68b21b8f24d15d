"""A backup while the server runs: a copy of the database, and a second name for every file that it names.

The second names (link(2)) lie in a folder of their own until the archive is out, so that whatever is deleted
meanwhile is in the backup, and nothing has to be copied first.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segint_grpc import __version__, errors
from segint_grpc.backup.archive import DATABASE, Source, length_of, pack
from segint_grpc.backup.sealing import check_passphrase, seal
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop
from segint_grpc.settings import CONFIG_NAME
from segint_grpc.store import copying
from segint_grpc.store.media import STAGED
from segint_grpc.store.migrator import known_migrations

CHUNK_BYTES = 1024 * 1024
ROOM_BYTES = 64 * 1024 * 1024
"""What must be free on the media's disk beside a copy of the database."""


@dataclass(frozen=True)
class Staged:
    """What goes into an archive, and what its manifest says."""

    sources: Sequence[Source]
    facts: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """About how long the archive will be."""
        return length_of(self.sources)


class Backups:
    """Makes backups, one at a time."""

    def __init__(self, context: ServiceContext, home: Home) -> None:
        """Back up the store of `context`, which lies in `home`."""
        self._store = context.store
        self._home = home
        self._under_way = False

    async def make(self, with_jobs: bool, passphrase: str) -> AsyncGenerator[int | bytes, None]:
        """Yield about how many bytes will come, then the archive's bytes, chunk by chunk.

        Raises:
            InvalidFields: jobs are wanted without a passphrase, or it is too short.
            NotNow: another backup is under way.
            DiskFull: there is no room for the copy of the database.
        """
        if with_jobs or passphrase:
            check_passphrase(passphrase)
        if self._under_way:
            raise errors.NotNow("Another backup is under way; wait for its end.")
        self._under_way = True
        folder = self._home.media / f"{STAGED}{secrets.token_hex(8)}"
        try:
            with Hop("segint-backup", threads=1) as hop:
                try:
                    staged = await hop.complete(self._stage, folder, with_jobs, bool(passphrase))
                    yield staged.size_bytes
                    chunks = _gathered(_archive(staged, passphrase))
                    while chunk := await hop.run(next, chunks, b""):
                        yield chunk
                finally:
                    await hop.complete(shutil.rmtree, folder, True)
        finally:
            self._under_way = False

    def _stage(self, folder: Path, with_jobs: bool, sealed: bool) -> Staged:
        self._check_room()
        folder.mkdir(mode=0o700)
        copy = folder / DATABASE
        copying.copy_database(self._home.database, copy)
        sources = [*self._families(folder), *self._model_files(folder)]
        if with_jobs:
            sources += self._jobs(folder, copy)
        else:
            copying.without_jobs(copy, self._store.now)
        if sealed:
            sources += _linked(folder, self._home.token_key, self._home.token_key.name)
        else:
            copying.without_secrets(copy)
        head = copying.head_in(copy)
        copying.compact(copy)
        config = self._home.path / CONFIG_NAME
        if config.exists():
            shutil.copyfile(config, folder / CONFIG_NAME)
            sources.append(_source(CONFIG_NAME, folder / CONFIG_NAME))
        facts = {
            "made_at": self._store.now().isoformat(),
            "release": __version__,
            "migrations": len(known_migrations()),
            "with_jobs": with_jobs,
            "audit_head": str(head),
        }
        return Staged([_source(DATABASE, copy), *sources], facts)

    def _check_room(self) -> None:
        log = self._home.database.with_name(f"{DATABASE}-wal")
        needed = 2 * (self._home.database.stat().st_size + (log.stat().st_size if log.exists() else 0))
        free = shutil.disk_usage(self._home.media).free
        if free < needed + ROOM_BYTES:
            raise errors.DiskFull(
                f"A backup needs {(needed + ROOM_BYTES) // 2**20} MiB for a copy of the database, and "
                f"{free // 2**20} MiB are free on the disk of {self._home.media}."
            )

    def _families(self, folder: Path) -> Iterator[Source]:
        for path in sorted(self._home.families.glob("[!.]*.pb")):
            yield from _linked(folder, path, f"media/modelfamily/{path.name}")

    def _model_files(self, folder: Path) -> Iterator[Source]:
        for file in sorted(self._store.model_files.files(), key=lambda file: (file.sha256, file.name)):
            yield from _linked(folder, self._store.media.model_file_path(file), _model_name(file))

    def _jobs(self, folder: Path, copy: Path) -> list[Source]:
        """Link every body and result that the copy of the database says is kept; note which are gone."""
        kept = self._store.retention.kept()
        media, found, gone = self._store.media, list[Source](), (set[str](), set[str]())
        kinds = ((kept.bodies, media.body_path, "segmentation"), (kept.results, media.result_path, "results"))
        for (ids, path_of, name), missing in zip(kinds, gone, strict=True):
            for job_id in sorted(ids):
                sources = list(_linked(folder, path_of(job_id), f"media/{name}/{job_id}.pb"))
                found += sources
                missing.update([] if sources else [job_id])
        copying.without_files(copy, *gone)
        return found


def _archive(staged: Staged, passphrase: str) -> Iterator[bytes]:
    plain = pack(staged.sources, staged.facts)
    return seal(plain, passphrase) if passphrase else plain


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield `pieces` joined to chunks that suit a message."""
    held: list[bytes] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= CHUNK_BYTES:
            yield b"".join(held)
            held.clear()
    if held:
        yield b"".join(held)


def _linked(folder: Path, path: Path, name: str) -> Iterator[Source]:
    """Yield `path` under a second name; nothing where it is gone."""
    second = folder / secrets.token_hex(8)
    try:
        os.link(path, second)
    except FileNotFoundError:
        return
    except OSError as error:
        raise errors.Unavailable(f"{path} cannot be linked for a backup ({error.strerror}).") from None
    yield _source(name, second)


def _source(name: str, path: Path) -> Source:
    return Source(name, path, path.stat().st_size)


def _model_name(file: FileRecord) -> str:
    return f"media/models/{file.sha256}/{file.name}"
