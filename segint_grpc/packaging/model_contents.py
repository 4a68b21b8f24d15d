"""The small files of a model that is a folder or its zip, read in place: nothing is unpacked or run."""

from __future__ import annotations

import json
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.zips.folder import own_files

TEXT_BYTES_MAX = 16 * 1024 * 1024


class ModelContents(ABC):
    """The files of a model by their names, with / between folders."""

    def __init__(self, path: Path) -> None:
        """Read from `path`."""
        self.path = path

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """The names of all files."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return the file `name`; raises InvalidModel where it is too large or cannot be read."""

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the object in the JSON file `name`; raises InvalidModel where it holds none."""
        try:
            found = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise errors.InvalidModel(f"{name} of {self.path} is no JSON: {error}.") from None
        if not isinstance(found, dict):
            raise errors.InvalidModel(f"{name} of {self.path} holds no JSON object.")
        return found

    def check_size(self, name: str, size: int) -> None:
        """Raise InvalidModel if a file of `size` bytes is no small one."""
        if size > TEXT_BYTES_MAX:
            raise errors.InvalidModel(
                f"{name} of {self.path} has {size} bytes; the most are {TEXT_BYTES_MAX}."
            )


class FolderContents(ModelContents):
    """A model in a folder."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        with self._reading("some file"):
            files = [found for found in self.path.rglob("*") if found.is_file()]
        return frozenset(found.relative_to(self.path).as_posix() for found in files)

    def read(self, name: str) -> bytes:
        """Return the file `name`."""
        with self._reading(name):
            self.check_size(name, (self.path / name).stat().st_size)
            return (self.path / name).read_bytes()

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise errors.InvalidModel(f"{name} of {self.path} cannot be read ({error.strerror}).") from None


class ZipContents(ModelContents):
    """A model in a zip, whose one top folder, if it has one, is no part of the names."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        return frozenset(self._members)

    def read(self, name: str) -> bytes:
        """Return the file `name`."""
        with self._opened() as archive:
            self.check_size(name, archive.getinfo(self._members[name]).file_size)
            return archive.read(self._members[name])

    @cached_property
    def _members(self) -> dict[str, str]:
        """Name → what the zip calls it."""
        with self._opened() as archive:
            return own_files([name for name in archive.namelist() if not name.endswith("/")])

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (
            OSError,
            ValueError,
            KeyError,
            EOFError,
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise errors.InvalidModel(f"{self.path} cannot be read as a zip ({error}).") from None


def contents_of(path: Path) -> ModelContents | None:
    """Return what can be read of `path`, None where it is neither a folder nor a zip."""
    if path.is_dir():
        return FolderContents(path)
    return ZipContents(path) if zipfile.is_zipfile(path) else None
