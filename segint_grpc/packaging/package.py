"""A package as it is read, from a folder or a .segint.zip: in place, so that reading writes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from segint_grpc import errors
from segint_grpc.packaging.manifest import MANIFEST, SIZE_MAX, Manifest, read_manifest
from segint_grpc.zips.folder import write_folder_zip

CHUNK_BYTES = 1024 * 1024
FAMILY_BYTES_MAX = 16 * 1024 * 1024

Progress = Callable[[int], None]
"""Told of the bytes of each chunk."""


class Package(ABC):
    """The files of one package, by the names that its manifest uses."""

    label: str
    """What messages call the package."""

    @abstractmethod
    def size_bytes(self, name: str) -> int:
        """Return the length of the file `name`; raises InvalidModel where there is none that can be used."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Open the file `name` to be read from its beginning; raises as `size_bytes`."""

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest, of which every file is there; raises InvalidModel where something is wrong."""
        found = read_manifest(self._read(MANIFEST, SIZE_MAX), lambda name: self._read(name, FAMILY_BYTES_MAX))
        for name in found.files:
            if self.size_bytes(name) == 0:
                raise errors.InvalidModel(f"The file {name} of {self.label} is empty.")
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files, the manifest's first."""
        return (MANIFEST, *sorted(self.manifest.files))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the file `name` in pieces; raises InvalidModel where it cannot be read to its end."""
        with self.reading(name), self.open(name) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def sha256(self, name: str) -> str:
        """Return the digest of the file `name`, in hexadecimal; raises as `chunks`."""
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """Turn what goes wrong while the file `name` is read into InvalidModel."""
        try:
            yield
        except OSError as error:
            raise errors.InvalidModel(
                f"The file {name} of {self.label} cannot be read ({error.strerror or error})."
            ) from None

    def _read(self, name: str, bytes_max: int) -> bytes:
        size = self.size_bytes(name)
        if size > bytes_max:
            raise errors.InvalidModel(f"{name} of {self.label} has {size} bytes; the most are {bytes_max}.")
        return b"".join(self.chunks(name))


class FolderPackage(Package):
    """A package that lies in a folder, as its author works on it; a model that is a folder in it is a zip."""

    def __init__(self, folder: Path) -> None:
        """Read from `folder`.

        Raises:
            InvalidModel: there is no manifest in it.
        """
        self.label = str(folder)
        self._folder = folder.resolve()
        self._zips: dict[Path, Path] = {}
        if not (self._folder / MANIFEST).is_file():
            raise errors.InvalidModel(
                f"There is no {MANIFEST} in {folder}; make one with: segint model init {folder}"
            )

    def size_bytes(self, name: str) -> int:
        """Return the length of the file `name`."""
        return self._found(name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        """Open the file `name`."""
        return self._found(name).open("rb")

    def _found(self, name: str) -> Path:
        """Return the path of `name`. A link may lead within the folder, never out of it."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise errors.InvalidModel(
                f"The file {name} of {self.label} is a link that leads out of the folder."
            )
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise errors.InvalidModel(
                f"{MANIFEST} names the file {name}, which cannot be read in {self.label} ({error.strerror})."
            ) from None
        if stat.S_ISDIR(mode) and any(path.iterdir()):
            return self._zipped(path)
        if not stat.S_ISREG(mode):
            raise errors.InvalidModel(f"{MANIFEST} names {name}, which is no file in {self.label}.")
        return path

    @cached_property
    def _temporary(self) -> Path:
        """A folder that goes with this package."""
        folder = tempfile.mkdtemp(prefix="segint-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _zipped(self, folder: Path) -> Path:
        if folder not in self._zips:
            target = self._temporary / f"{len(self._zips)}.zip"
            write_folder_zip(folder, target)
            self._zips[folder] = target
        return self._zips[folder]
