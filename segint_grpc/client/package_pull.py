"""A family as a package again: its manifest is written here, its files are streamed from the server.

What a manifest cannot say (a field that is newer than this release, an enum without a name) is not lost:
then the package holds the family as the server stored it, and the manifest refers to that file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format

from generated.radiomics.Model_pb2 import ModelFamily
from generated.segint.v1 import models_pb2
from segint_grpc import errors
from segint_grpc.client.package_server import PackageServer
from segint_grpc.packaging.manifest import MANIFEST, RuntimeEntry, read_manifest
from segint_grpc.packaging.manifest_text import says_all, write_manifest, write_manifest_beside
from segint_grpc.zips import names

FAMILY_FILE = "family.pb"

FileKey = tuple[str, str]
"""SHA-256 and name, which together say which stored file is meant."""


class PulledPackage:
    """What an archive of one family holds (`packaging.archive.Contents`)."""

    def __init__(self, server: PackageServer, canonical_name: str) -> None:
        """Ask `server` for the family.

        Raises:
            ServerRefused: there is none of that name.
            InvalidModel: it cannot be written as a package.
        """
        answer = server.stored_family(canonical_name)
        self._server = server
        placed = place_files(answer.family.versions)
        self._files = {placed[_key(file)]: file for file in _files(answer.family.versions)}
        entries = {
            version.version_id: _entry(version.runtime, placed)
            for version in answer.family.versions
            if version.HasField("runtime")
        }
        self._texts = _texts(answer.binary, _policy(answer.family), entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files, the manifest's first."""
        return (*sorted(self._texts, reverse=True), *sorted(self._files))

    def size_bytes(self, name: str) -> int:
        """Return the length of the file `name`."""
        return len(self._texts[name]) if name in self._texts else self._files[name].size_bytes

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the file `name` in pieces; raises ServerRefused where the server's file is broken."""
        if name in self._texts:
            yield self._texts[name]
        else:
            yield from self._server.fetch(self._files[name].sha256)


def place_files(versions: Iterable[models_pb2.Version]) -> dict[FileKey, str]:
    """Return where in the package each file of `versions` goes: under its own name where that is free.

    Raises:
        InvalidModel: a file has a name that no package can have.
    """
    placed: dict[FileKey, str] = {}
    for file in _files(versions):
        if _key(file) in placed:
            continue
        if problem := names.problem_with(file.name):
            raise errors.InvalidModel(f"The file {file.name!r} cannot be packed: a name there {problem}.")
        taken = (MANIFEST, FAMILY_FILE, *placed.values())
        free = names.clash((*taken, file.name)) is None
        placed[_key(file)] = file.name if free else f"{file.sha256[:12]}/{file.name}"
    return placed


def _texts(body: bytes, policy: str, entries: Mapping[str, RuntimeEntry]) -> dict[str, bytes]:
    """Return the manifest, and the family's own file where the manifest cannot say all of it."""
    manifest = write_manifest(ModelFamily.FromString(body), policy, entries)
    if says_all(manifest, body):
        return {MANIFEST: manifest.encode()}
    manifest = write_manifest_beside(FAMILY_FILE, policy, entries)
    read_manifest(manifest.encode(), lambda name: body, f"The new {MANIFEST}")
    return {MANIFEST: manifest.encode(), FAMILY_FILE: body}


def _entry(runtime: models_pb2.Runtime, placed: Mapping[FileKey, str]) -> RuntimeEntry:
    return RuntimeEntry(
        backend=runtime.backend,
        model_file=placed.get(_key(runtime.model_file), ""),
        module_file=placed.get(_key(runtime.module_file), ""),
        entry=runtime.entry,
        parameters=_with_whole_numbers(json_format.MessageToDict(runtime.parameters)),
        check_scan=placed.get(_key(runtime.check_scan), ""),
        handling=runtime.handling if runtime.HasField("handling") else None,
        interpreter=runtime.interpreter,
    )


def _with_whole_numbers(value: Any) -> Any:
    """Return `value` with whole numbers as such; a google.protobuf.Struct holds every number as a double."""
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _files(versions: Iterable[models_pb2.Version]) -> list[models_pb2.ModelFile]:
    runtimes = (version.runtime for version in versions if version.HasField("runtime"))
    named = (file for r in runtimes for file in (r.model_file, r.module_file, r.check_scan))
    return [file for file in named if file.sha256]


def _key(file: models_pb2.ModelFile) -> FileKey:
    return file.sha256, file.name


def _policy(family: models_pb2.Family) -> str:
    return models_pb2.ConstraintPolicy.Name(family.constraint_policy).rpartition("_")[2].lower()
