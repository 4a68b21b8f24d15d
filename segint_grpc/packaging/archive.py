"""A package as one file, NAME.segint.zip: equal content gives equal bytes, and reading trusts nothing.

Format: PKWARE's APPNOTE 6.3, as zipfile reads it, narrowed down: plain files only, stored or deflated.
"""

from __future__ import annotations

import os
import secrets
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self, cast

from segint_grpc import errors
from segint_grpc.packaging import names
from segint_grpc.packaging.manifest import MANIFEST
from segint_grpc.packaging.package import FolderPackage, Package, Progress

SUFFIX = ".segint.zip"
_ENCRYPTED = 0x1
_UNIX = 3
"""The system whose file mode the upper half of external_attr is (APPNOTE 4.4.2.2)."""
_UNIX_MODE_SHIFT = 16
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold. Weights hardly shrink: what shrinks by more than `ratio_max` is a bomb."""

    entries_max: int = 1000
    unpacked_max_bytes: int = 256 * 1024**3
    ratio_max: int = 100
    ratio_from_bytes: int = 16 * 1024**2


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
            self._entries = _check(self._zip, path, limits or ArchiveLimits())
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
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | 0o644) << _UNIX_MODE_SHIFT
            info.file_size = contents.size_bytes(name)
            with archive.open(info, "w") as entry:
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


def _check(archive: zipfile.ZipFile, path: Path, limits: ArchiveLimits) -> dict[str, zipfile.ZipInfo]:
    """Return the archive's files by name; raises InvalidModel for everything that a package never has."""
    entries = archive.infolist()
    if len(entries) > limits.entries_max:
        raise _refusal(path, f"it has {len(entries)} entries; the most are {limits.entries_max}")
    files = [entry for entry in entries if not _is_plain_folder(entry)]
    for entry in files:
        if problem := _problem_with(entry, limits):
            raise _refusal(path, f"the entry {entry.orig_filename[:100]!r} {problem}")
    _check_sizes(files, path, limits)
    found = names.clash(entry.filename for entry in files)
    if found is not None:
        raise _refusal(path, f"the entries {found[0]!r} and {found[1]!r} would be one file")
    by_name = {entry.filename: entry for entry in files}
    if MANIFEST not in by_name:
        raise errors.InvalidModel(_without_manifest(path, by_name))
    return by_name


def _is_plain_folder(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> _UNIX_MODE_SHIFT)
    name_is_fine = not names.problem_with(entry.filename.removesuffix("/"))
    return entry.is_dir() and entry.file_size == 0 and kind in (0, stat.S_IFDIR) and name_is_fine


def _problem_with(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> str:
    # zipfile cuts a name at a NUL and turns backslashes round on Windows; what was written counts.
    if problem := names.problem_with(entry.orig_filename):
        return f"has a name that is refused: it {problem}"
    if stat.S_IFMT(entry.external_attr >> _UNIX_MODE_SHIFT) not in (0, stat.S_IFREG):
        return "is a link or another thing that is no plain file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is compressed in another way than deflate"
    large = entry.file_size > limits.ratio_from_bytes
    if large and entry.file_size > limits.ratio_max * max(entry.compress_size, 1):
        return f"would unpack from {entry.compress_size} bytes to {entry.file_size}: it looks like a bomb"
    return ""


def _check_sizes(files: list[zipfile.ZipInfo], path: Path, limits: ArchiveLimits) -> None:
    unpacked = sum(entry.file_size for entry in files)
    if unpacked > limits.unpacked_max_bytes:
        raise _refusal(path, f"it would unpack to {unpacked} bytes; the most are {limits.unpacked_max_bytes}")
    if sum(entry.compress_size for entry in files) > path.stat().st_size:
        raise _refusal(path, "its entries share their bytes: it looks like a bomb")


def _refusal(path: Path, why: str) -> errors.InvalidModel:
    return errors.InvalidModel(f"The archive {path} is refused: {why}.")


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
