"""The folder in which people lay large files for the server to take.

A file is taken by a second name for it (link(2)) in the models' folder, and loses its first one when the
store knows it: whatever ends the server in between, the file is in the inbox or stored, or both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.store.durable import disk_errors


class Inbox:
    """The inbox of one home."""

    def __init__(self, home: Home) -> None:
        """Use the inbox of `home`, which must exist."""
        self._folder = home.inbox

    def names(self) -> list[str]:
        """Return the names of the files that lie there, sorted."""
        return sorted(path.name for path in self._folder.iterdir() if _is_file(path))

    def measure(self, name: str) -> FileRecord:
        """Return what the file `name` is; reads it whole.

        Raises:
            NotFound: no regular file of that name lies there; the message lists those that do.
            Unavailable: it cannot be read, or changes.
        """
        path = self._path(name)
        before = _stamp(path)
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise errors.Unavailable(f"The file {path} cannot be read ({error.strerror}).") from None
        if _stamp(path) != before:
            raise errors.Unavailable(f"The file {path} changes; wait until it is whole.")
        return FileRecord(sha256, name, before[0])

    def lend(self, file: FileRecord, temporary: Path) -> None:
        """Put the measured `file` at `temporary` too: as the same file, or a copy on another file system.

        Raises:
            Unavailable: it has changed since it was measured.
            DiskFull: there is no room for a copy.
        """
        path = self._path(file.name)
        with disk_errors():
            _link_or_copy(path, temporary)
        if temporary.stat().st_size != file.size_bytes:
            temporary.unlink()
            raise errors.Unavailable(f"The file {path} changes; wait until it is whole.")

    def remove(self, name: str) -> None:
        """Take the file `name` out of the inbox, if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        names = self.names()
        if name in names:
            return self._folder / name
        there = ", ".join(map(repr, names)) or "nothing"
        text = f"No file {name!r} lies in {self._folder}; there is {there}."
        if any(path.name == name for path in self._folder.iterdir()):
            text += " What is called so is a link or hidden; lay a plain file there."
        raise errors.NotFound(text, name, names)


def _is_file(path: Path) -> bool:
    """Return whether `path` is a regular file that is no link, and none of those that hide."""
    return not path.name.startswith(".") and stat.S_ISREG(path.lstat().st_mode)


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return (found.st_size, found.st_mtime_ns, found.st_ino)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target)
