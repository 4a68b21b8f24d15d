"""Makes a home of a backup: whole beside the old one first, then in its place in one step.

Whatever ends this in the middle, the home is the old one or the new one; what is left over beside it is named
`NAME.restoring-…` and may be removed.
"""

from __future__ import annotations

import ctypes
import getpass
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from segint_grpc import errors, locks
from segint_grpc.backup.archive import DATABASE, Manifest, unpack
from segint_grpc.backup.sealing import MAGIC, Unsealed, is_sealed
from segint_grpc.home import Home
from segint_grpc.serve.lock import HomeLock
from segint_grpc.store.durable import disk_errors, sync_file, sync_folder
from segint_grpc.store.restoring import Checked, check_database, record_restore

ROOM_BYTES = 64 * 1024 * 1024
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Looked:
    """What a backup is: its manifest, and what was found of its database."""

    manifest: Manifest
    checked: Checked


@dataclass(frozen=True)
class Restored:
    """What was restored, and where the home that was there before is; None where there was none."""

    looked: Looked
    kept: Path | None


def needs_passphrase(archive: Path) -> bool:
    """Return whether `archive` is sealed; raises BrokenArchive where it cannot be read."""
    with _opened(archive) as file:
        return is_sealed(file.read(len(MAGIC)))


def check(archive: Path, passphrase: str, progress: Progress) -> Looked:
    """Look at every byte of `archive`, and at its database; nothing stays.

    Raises:
        BrokenArchive: it is not whole, or the passphrase is another.
        NewerSchema: a newer release made it.
    """
    with tempfile.TemporaryDirectory(prefix="segint-backup-") as folder:
        database = Path(folder) / DATABASE

        @contextmanager
        def receive(name: str) -> Iterator[BinaryIO]:
            with (database if name == DATABASE else Path(os.devnull)).open("wb") as file:
                yield file

        manifest = _unpack(archive, passphrase, receive, progress)
        return Looked(manifest, _checked(database))


def restore(archive: Path, home: Home, passphrase: str, force: bool, progress: Progress) -> Restored:
    """Make `home` of `archive`; with `force` in place of a home that is there, which is kept beside.

    Raises:
        RestoreRefused: there is something at `home` already, or it cannot be replaced.
        StartRefused: a server runs there.
        BrokenArchive, NewerSchema: as `check`; nothing has changed then.
        DiskFull: there is no room.
    """
    target = home.path.resolve()  # where a link leads, and on that disk
    there = target.exists() and any(target.iterdir())
    with ExitStack() as stack:
        if there and (force or home.run.is_dir()):
            _lock(stack, home)
        if there and not force:
            raise errors.RestoreRefused(
                f"{target} is not empty. Restore into a new folder, or say --force: the present home is then "
                "kept beside it."
            )
        with disk_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=f"{target.name}.restoring-", dir=target.parent))
        try:
            looked = _build(archive, passphrase, Home(made), progress)
            kept = _put(made, target, there)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    return Restored(looked, kept)


def _lock(stack: ExitStack, home: Home) -> None:
    """Hold what a server of `home` holds while it runs."""
    home.run.mkdir(mode=0o700, exist_ok=True)
    stack.enter_context(HomeLock(home, patience_s=0))
    refusal = f"A core runs in the home {home.path}; stop it first."
    stack.enter_context(locks.locked(home.run / "core.lock", refusal))


def _build(archive: Path, passphrase: str, made: Home, progress: Progress) -> Looked:
    _check_room(archive, made.path)
    made.create()

    @contextmanager
    def receive(name: str) -> Iterator[BinaryIO]:
        path = made.path / name
        with disk_errors():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                yield file
            sync_file(path)

    manifest = _unpack(archive, passphrase, receive, progress)
    checked = _checked(made.database)
    record_restore(made.database, getpass.getuser(), datetime.now(UTC), archive.name)
    sync_file(made.database)
    for folder, _, _ in os.walk(made.path):
        sync_folder(Path(folder))
    return Looked(manifest, checked)


def _put(made: Path, target: Path, there: bool) -> Path | None:
    """Give the finished home its name in one step; return where the one before is kept."""
    try:
        if not there:
            made.replace(target)
            kept = None
        else:
            _exchange(made, target)
            kept = target.with_name(f"{target.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            made.replace(kept)
    except OSError as error:
        raise errors.RestoreRefused(
            f"{target} cannot be replaced ({error.strerror}); restore into a new folder beside it."
        ) from None
    sync_folder(target.parent)
    return kept


def _exchange(one: Path, other: Path) -> None:
    """Exchange the names of two folders in one step (renameat2(2))."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    names = (os.fsencode(one), os.fsencode(other))
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _unpack(archive: Path, passphrase: str, receive: Any, progress: Progress) -> Manifest:
    with _opened(archive) as file:
        sealed = is_sealed(file.read(len(MAGIC)))
        file.seek(0)
        stream = cast(BinaryIO, Unsealed(file, passphrase)) if sealed else file
        return unpack(stream, receive, progress)


def _checked(database: Path) -> Checked:
    if not database.exists():
        raise errors.BrokenArchive("The archive holds no database.")
    return check_database(database)


def _check_room(archive: Path, folder: Path) -> None:
    needed, free = archive.stat().st_size + ROOM_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise errors.DiskFull(f"{needed // 2**20} MiB are needed, and {free // 2**20} MiB are free.")


@contextmanager
def _opened(archive: Path) -> Iterator[BinaryIO]:
    try:
        file = archive.open("rb")
    except OSError as error:
        raise errors.BrokenArchive(f"{archive} cannot be read ({error.strerror}).") from None
    with file:
        yield file
