"""segint-model.toml: what a package says of a family, its versions, and what runs them.

The document is described, with every key, by the manifest that `segint model init` writes
(segint_grpc/packaging/example.py). What is read becomes a Radiomics.ModelFamily in which nothing is left to
proto3's zeros: modality and body part must be written, a gender that is not is Any, a type Organ.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import DecodeError

from generated.radiomics.Model_pb2 import ModelFamily, ModelVersion
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.packaging.family_fields import modalities, read_channel, read_family, read_version
from segint_grpc.packaging.fields import Fields, Problems, suggestion
from segint_grpc.packaging.handling_fields import TABLES, read_handling
from segint_grpc.zips import names

MANIFEST = "segint-model.toml"
SIZE_MAX = 256 * 1024
FORMAT = 1
POLICIES = ("off", "warn", "enforce")
_EXACT_INT_MAX = 2**53
"""A google.protobuf.Struct holds numbers as doubles."""

ReadFile = Callable[[str], bytes]
"""Returns what the package's file of that name holds."""


@dataclass(frozen=True)
class RuntimeEntry:
    """What runs a version; files by their names in the package, empty where there is none.

    `check_scan` is one file, or ChannelID → file for scans that are no serialized ModelInput. `handling` is
    what the version's tables input, inference, output and limits say; None where there are none.
    """

    backend: str
    model_file: str = ""
    module_file: str = ""
    entry: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    check_scan: str | Mapping[str, str] = ""
    handling: ScanHandling | None = None
    interpreter: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that the runtime needs."""
        scans = (self.check_scan,) if isinstance(self.check_scan, str) else tuple(self.check_scan.values())
        return tuple(name for name in (self.model_file, self.module_file, *scans) if name)


@dataclass(frozen=True)
class Manifest:
    """What a segint-model.toml says: `policy` is one of `POLICIES`, `runtimes` go by version ID."""

    family: ModelFamily
    policy: str
    runtimes: Mapping[str, RuntimeEntry]
    family_file: str = ""
    further_files: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files that belong to the package, each once, without the manifest's own."""
        named = [self.family_file, *self.further_files]
        named.extend(name for runtime in self.runtimes.values() for name in runtime.files)
        return tuple(dict.fromkeys(name for name in named if name))


def read_manifest(content: bytes, read_file: ReadFile, document: str = MANIFEST) -> Manifest:
    """Return what `content` says; `read_file` is asked for the family's own file, if it has one.

    Raises:
        InvalidModel: names line, field and mend of everything that is wrong.
    """
    if len(content) > SIZE_MAX:
        raise errors.InvalidModel(f"{document} has {len(content)} bytes; the most are {SIZE_MAX}.")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise errors.InvalidModel(f"{document}, line {line}: this is no UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise errors.InvalidModel(f"{document} is no valid TOML: {error}.") from None
    problems = Problems(document, text)
    manifest = _read(Fields(table, (), problems), read_file)
    problems.raise_if_any()
    return manifest


def _read(fields: Fields, read_file: ReadFile) -> Manifest:
    written = fields.whole("format", FORMAT)
    if written != FORMAT:
        fields.wrong("format", f"is {written}; this release of SegInt reads {FORMAT}.")
    further = tuple(_file_name(fields, "files", name) for name in fields.texts("files", ()))
    manifest = _read_binary(fields, read_file) if _has_family_file(fields) else _read_written(fields)
    fields.finish()
    whole = Manifest(manifest.family, manifest.policy, manifest.runtimes, manifest.family_file, further)
    _check_names(fields, whole)
    return whole


def _has_family_file(fields: Fields) -> bool:
    family = fields.value("family")
    return isinstance(family, Mapping) and "file" in family


def _read_written(fields: Fields) -> Manifest:
    """Read a manifest that spells the family out."""
    family, policy, modalities_written = fields.table(
        "family", lambda table: (read_family(table), _read_policy(table), table.has("modalities"))
    )
    channels = fields.tables("channels", read_channel)
    family.FamilyDescription.InputChannels.extend(channels)
    if not modalities_written:
        family.FamilyDescription.Modalities = ", ".join(modalities(family))
    runtimes: dict[str, RuntimeEntry] = {}
    channel_ids = [channel.ChannelID for channel in channels]

    def read(table: Fields) -> None:
        version = family.ModelVersions.add()
        version.CopyFrom(read_version(table, channel_ids))
        _read_runtime_of(table, version, channel_ids, runtimes)

    fields.tables("versions", read)
    _check_unique(fields, "channels", channel_ids)
    _check_unique(fields, "versions", [version.ID for version in family.ModelVersions])
    return Manifest(family, policy, runtimes)


def _read_binary(fields: Fields, read_file: ReadFile) -> Manifest:
    """Read a manifest whose family is a serialized one, in a file beside it."""
    name, policy = fields.table("family", lambda table: (_read_file_name(table, "file"), _read_policy(table)))
    family = _parse_family(fields, name, read_file)
    runtimes: dict[str, RuntimeEntry] = {}
    channel_ids = [channel.ChannelID for channel in family.FamilyDescription.InputChannels]
    versions = {version.ID: version for version in family.ModelVersions}

    def read(table: Fields) -> None:
        version_id = table.text("id")
        if version_id and versions and version_id not in versions:
            table.wrong("id", f"is no version in {name}. {suggestion(version_id, list(versions))}")
        version = versions.get(version_id, ModelVersion(ID=version_id))
        _read_runtime_of(table, version, channel_ids, runtimes)

    fields.tables("versions", read, required=False)
    return Manifest(family, policy, runtimes, name)


def _parse_family(fields: Fields, name: str, read_file: ReadFile) -> ModelFamily:
    if not name:
        return ModelFamily()
    try:
        family = ModelFamily.FromString(read_file(name))
    except DecodeError:
        fields.problems.add(
            ("family", "file"), f"names {name}, which is no serialized Radiomics.ModelFamily."
        )
        return ModelFamily()
    if not family.CanonicalName:
        fields.problems.add(("family", "file"), f"names {name}, which holds no family with a CanonicalName.")
    return family


def _read_policy(fields: Fields) -> str:
    return fields.one_of("on_unsuitable_scan", POLICIES, "enforce")


def _read_runtime_of(
    fields: Fields, version: ModelVersion, channel_ids: list[str], runtimes: dict[str, RuntimeEntry]
) -> None:
    runtime = fields.table("runtime", lambda table: _read_runtime(table, channel_ids), None)
    structure_ids = [structure.StructureID for structure in version.Structures]
    handling = read_handling(fields, channel_ids, structure_ids)
    if runtime is not None:
        runtimes[version.ID] = replace(runtime, handling=handling)
    elif handling is not None:
        written = next(name for name in TABLES if fields.has(name))
        fields.wrong(written, "is of no use where no [versions.runtime] says what runs the version.")


def _read_runtime(fields: Fields, channel_ids: list[str]) -> RuntimeEntry | None:
    return RuntimeEntry(
        backend=fields.text("backend"),
        model_file=_read_file_name(fields, "model_file", ""),
        module_file=_read_file_name(fields, "module_file", ""),
        entry=fields.text("entry", ""),
        parameters=fields.table("parameters", _read_parameters, {}),
        check_scan=_read_check_scan(fields, channel_ids),
        interpreter=fields.text("interpreter", ""),
    )


def _read_parameters(fields: Fields) -> dict[str, Any]:
    parameters = fields.rest()
    for name, value in parameters.items():
        if problem := _unstorable(value):
            fields.wrong(name, problem)
    return parameters


def _unstorable(value: Any) -> str:
    """Return why a google.protobuf.Struct cannot hold `value`, or nothing."""
    if isinstance(value, Mapping | list):
        inner = value.values() if isinstance(value, Mapping) else value
        return next(filter(None, map(_unstorable, inner)), "")
    if isinstance(value, int) and abs(value) > _EXACT_INT_MAX:
        return f"holds {value}, which is more than {_EXACT_INT_MAX}; write it as a text."
    if isinstance(value, float) and not abs(value) < float("inf"):
        return f"holds {value}, which is no number that can be kept."
    return "" if isinstance(value, bool | int | float | str) else "holds a date or time; write it as a text."


def _read_check_scan(fields: Fields, channel_ids: list[str]) -> str | dict[str, str]:
    if not isinstance(fields.value("check_scan"), dict):
        return _read_file_name(fields, "check_scan", "")
    scans: dict[str, str] = fields.table("check_scan", lambda table: _read_scans(table, channel_ids))
    return scans


def _read_scans(fields: Fields, channel_ids: list[str]) -> dict[str, str]:
    return {channel_id: _read_file_name(fields, channel_id) for channel_id in channel_ids}


def _read_file_name(fields: Fields, key: str, *default: str) -> str:
    return _file_name(fields, key, fields.text(key, *default))


def _file_name(fields: Fields, key: str, name: str) -> str:
    problem = names.problem_with(name) if name else ""
    if not problem:
        return name
    fields.wrong(key, f"names the file {name!r}; a file's name {problem}.")
    return ""


def _check_names(fields: Fields, manifest: Manifest) -> None:
    found = names.clash((MANIFEST, *manifest.files))
    if found is not None:
        fields.wrong("files", f"and the files of versions cannot be both {found[0]!r} and {found[1]!r}.")


def _check_unique(fields: Fields, key: str, ids: list[str]) -> None:
    for index, name in enumerate(ids):
        if name and name in ids[:index]:
            fields.problems.add((key, index, "id"), f"is {name!r}, as of another of the {key}.")
