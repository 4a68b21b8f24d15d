"""Files that are either whole and on disk, or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segint_grpc import errors

PART = ".part"
"""The ending of files that are still being written; whatever has it at start-up is rubbish."""


def publish(temporary: Path, final: Path) -> None:
    """Give the finished file `temporary` its name; once this returns, a power cut cannot undo it.

    Both lie on one file system. A file that already has the name is replaced in one step.

    Raises:
        DiskFull: there is no room to write it out.
    """
    with disk_errors():
        sync_file(temporary)
        temporary.replace(final)
        sync_folder(final.parent)


def sync_file(path: Path) -> None:
    """Wait until the content of the file `path` is on disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in the folder `path` are on disk."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the operating system's "no space left" and "quota exceeded" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.DiskFull from error
        raise
