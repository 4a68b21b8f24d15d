"""Files that are either whole and on disk, or not there."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterator
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


def begin_writeback(descriptor: int, offset: int, size_bytes: int) -> None:
    """Have the kernel begin to write this part of a file out, so that a later sync has little left to do.

    Promises nothing (sync_file_range(2)): errors show at the sync, and where it is missing nothing happens.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, size_bytes, _SYNC_FILE_RANGE_WRITE)


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


def _find_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return function


_SYNC_FILE_RANGE_WRITE = 2
_sync_file_range = _find_sync_file_range()


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the operating system's "no space left" and "quota exceeded" into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise errors.DiskFull from error
        raise
