"""A package as one file, NAME.segint.zip: equal content gives equal bytes, and reading trusts nothing."""

from __future__ import annotations

import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from segint_grpc import errors
from segint_grpc.packaging.manifest import MANIFEST
from segint_grpc.packaging.package import FolderPackage, Package, Progress
from segint_grpc.zips.checked import ArchiveLimits, checked_entries
from segint_grpc.zips.folder import plain_entry

SUFFIX = ".segint.zip"


class ArchivePackage(Package):
    """A package in a zip; a context manager. Its files are read in place, so nothing is written anywhere."""

    def __init__(self, path: Path, limits: ArchiveLimits | None = None) -> None:
        """Open the archive at `path` and check every entry before any is read.

        Raises:
            InvalidModel: it is no zip, or an entry is none that a package may have.
        """
        self.label = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise errors.InvalidModel(f"{path} cannot be read as a zip archive ({error}).") from None
        try:
            self._entries = _with_manifest(self._zip, path, limits or ArchiveLimits())
        except BaseException:
            self._zip.close()
            raise

    def size_bytes(self, name: str) -> int:
        """Return the length of the file `name`."""
        return self._found(name).file_size

    def open(self, name: str) -> BinaryIO:
        """Open the file `name`; zipfile gives as many bytes as were announced and checks their CRC."""
        with self.reading(name):
            return cast(BinaryIO, self._zip.open(self._found(name)))

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turn what goes wrong while the file `name` is read into InvalidModel."""
        try:
            with super().reading(name):
                yield
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise errors.InvalidModel(f"The file {name} of {self.label} is broken ({error}).") from None

    def __enter__(self) -> Self:
        """Return this package."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the archive."""
        self._zip.close()

    def _found(self, name: str) -> zipfile.ZipInfo:
        if name not in self._entries:
            raise errors.InvalidModel(f"{MANIFEST} names the file {name}, which is not in {self.label}.")
        return self._entries[name]


class Contents(Protocol):
    """What goes into an archive: names, their lengths and their bytes, the manifest's first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files in the order in which they are written."""

    def size_bytes(self, name: str) -> int:
        """Return the length of the file `name`."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the file `name` in pieces."""


def write_archive(contents: Contents, target: Path, progress: Progress = lambda written: None) -> None:
    """Write `contents` to `target`, which appears when it is whole. Equal content gives equal bytes.

    Entries are stored: weights hardly shrink, and deflate's output depends on the library.

    Raises:
        InvalidModel: a file cannot be read.
        Unwritable: `target` cannot be written.
    """
    with _appearing(target) as file, zipfile.ZipFile(file, "w") as archive:
        for name in contents.names:
            with archive.open(plain_entry(name, contents.size_bytes(name)), "w") as entry:
                for chunk in contents.chunks(name):
                    entry.write(chunk)
                    progress(len(chunk))


@contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    """Give a file to write that becomes `target` at the end, and nothing when something goes wrong."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise errors.Unwritable(f"{target} cannot be written ({error.strerror}).") from None
    finally:
        temporary.unlink(missing_ok=True)


def _with_manifest(archive: zipfile.ZipFile, path: Path, limits: ArchiveLimits) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's files by name; raises InvalidModel for everything that a package never has."""
    by_name = checked_entries(archive, path, limits)
    if MANIFEST not in by_name:
        raise errors.InvalidModel(_without_manifest(path, by_name))
    return by_name


def _without_manifest(path: Path, names_inside: dict[str, zipfile.ZipInfo]) -> str:
    deeper = next((name for name in names_inside if name.endswith(f"/{MANIFEST}")), "")
    if deeper:
        folder = deeper.removesuffix(MANIFEST)
        return f"{path} has its {MANIFEST} in {folder}; it must lie at the top: segint model pack does so."
    return f"{path} has no {MANIFEST}, so it is no package; `segint model pack` makes one."


@contextmanager
def open_package(path: Path) -> Iterator[Package]:
    """Give the package at `path`, a folder or a .segint.zip.

    Raises:
        InvalidModel: there is none that can be used.
    """
    if path.is_dir():
        yield FolderPackage(path)
        return
    if not path.exists():
        raise errors.InvalidModel(f"There is no file or folder {path}.")
    with ArchivePackage(path) as package:
        yield package
