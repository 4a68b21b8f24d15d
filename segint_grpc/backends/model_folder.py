"""A model that is a folder: it is kept as a zip (segint_grpc/zips/folder.py) and unpacked where it is loaded.

What is unpacked is a cache named by the zip's content. A process that loads the model compares every file
with the zip's own checksums, and unpacks anew where one was touched, or any was added.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.zips.checked import Entries, checked_entries
from segint_grpc.zips.folder import FOLDER_LIMITS, own_files

PART = ".part"
"""How the name of a folder ends that is being unpacked."""

_CHUNK_BYTES = 1024 * 1024
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError)


def member_names(path: Path) -> tuple[str, ...]:
    """Return the names of the files in the model folder that `path` is, sorted, without a folder all share.

    Raises:
        InvalidModel: it is no zip, or one that must not be unpacked.
    """
    with _opened(path) as (_, entries):
        return tuple(sorted(entries))


def read_member(path: Path, name: str, bytes_max: int) -> bytes:
    """Return what the file `name` (see `member_names`) holds.

    Raises:
        InvalidModel: there is none, or it has more than `bytes_max` bytes or is broken.
    """
    with _opened(path) as (archive, entries):
        if name not in entries:
            raise errors.InvalidModel(f"There is no {name} in {path.name}.")
        if entries[name].file_size > bytes_max:
            size_bytes = entries[name].file_size
            raise errors.InvalidModel(
                f"{name} in {path.name} has {size_bytes} bytes; the most are {bytes_max}."
            )
        return archive.read(entries[name])


def code_where(is_one: Callable[[], bool]) -> bool:
    """Return for `carries_code` what `is_one` says of a file: one that it refuses is never loaded.

    What cannot be read now may be something else at the next look, and counts as code.
    """
    try:
        return is_one()
    except errors.InvalidModel:
        return False
    except OSError:
        return True


def unpacked(source: ModelSource) -> Path:
    """Return the folder that the model file of `source` is: whole, and as the zip says to the last byte.

    Code in it leaves no `__pycache__` there. Without `source.cache` it lies in a temporary folder.

    Raises:
        InvalidModel: it is no zip, or one that must not be unpacked.
        OSError: there is no room for it.
    """
    assert source.model_file is not None, "check comes before load"
    sys.dont_write_bytecode = True
    folder = source.cache or Path(tempfile.mkdtemp(prefix="segint-model-")) / "model"
    with _alone_with(source.model_file), _opened(source.model_file) as (archive, entries):
        if not _is_whole(folder, entries):
            folder.parent.mkdir(parents=True, exist_ok=True)
            _unpack(archive, entries, folder)
    return folder


@contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Wait until no other process unpacks the same; the lock goes with the process that dies (flock(2)).

    It is the folder's that `path` lies in: equal content lies in one, under whatever names.
    """
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, Entries]]:
    """Give the archive and its files by name, without what systems leave behind, nor a folder all share."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = checked_entries(archive, path, FOLDER_LIMITS)
            yield archive, {name: found[called] for name, called in own_files(found).items()}
    except _BROKEN as error:
        raise errors.InvalidModel(
            f"{path.name} is no folder as a zip archive ({error}); give the folder, or a zip of it."
        ) from None


def _is_whole(folder: Path, entries: Entries) -> bool:
    """Return whether `folder` holds the files of `entries`, each to the byte, and nothing else."""
    if not folder.is_dir():
        return False
    there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    if {path.relative_to(folder).as_posix() for path in there} != set(entries):
        return False
    return all(_is_same(folder / name, info) for name, info in entries.items())


def _is_same(path: Path, info: zipfile.ZipInfo) -> bool:
    if path.is_symlink() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC


def _unpack(archive: zipfile.ZipFile, entries: Entries, folder: Path) -> None:
    """Unpack beside `folder`, which gets its name when it is whole: the process may die meanwhile."""
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{PART}")
    old = part.with_name(f"{part.name}.old{PART}")
    # What a process has left that was killed meanwhile; nobody else is at it.
    for rest in folder.parent.glob(f".{folder.name}.*{PART}"):
        shutil.rmtree(rest, ignore_errors=True)
    try:
        for name, info in entries.items():
            target = part / PurePosixPath(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as entry, target.open("xb") as file:
                shutil.copyfileobj(entry, file, _CHUNK_BYTES)
        # What somebody has touched makes way; who has it open reads on.
        with suppress(FileNotFoundError):
            os.rename(folder, old)
        os.rename(part, folder)
    finally:
        for rest in (part, old):
            shutil.rmtree(rest, ignore_errors=True)
