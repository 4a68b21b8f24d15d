"""Writes a segint-model.toml of a family and what runs its versions: `manifest.py` backwards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from generated.radiomics.Model_pb2 import (
    ModelChannelDescription,
    ModelFamily,
    ModelVersion,
    RegulatoryFramework,
    Structure,
)
from generated.radiomics.Primitives3D_pb2 import Vector3D
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.packaging.family_fields import BODY_PARTS, GENDERS, MODALITIES, STATUSES, STRUCTURE_TYPES
from segint_grpc.packaging.handling_fields import write_handling
from segint_grpc.packaging.manifest import FORMAT, RuntimeEntry, read_manifest

_BARE_KEY = re.compile("[A-Za-z0-9_-]+")
_HEADING = "# A model as SegInt packs it; `segint model init` writes one that explains every key.\n"
_SPEAK_WHEN_EMPTY = ("name", "modalities", "language", "channel")
"""Keys whose absence means something else than an empty text."""

Row = tuple[str, Any]


def write_manifest(family: ModelFamily, policy: str, runtimes: Mapping[str, RuntimeEntry]) -> str:
    """Return the manifest that spells `family` out, whether or not it can hold all of it."""
    parts = [_HEADING + _rows([("format", FORMAT)]), _table("[family]", _family_rows(family, policy))]
    parts.extend(_table("[[channels]]", _channel_rows(c)) for c in family.FamilyDescription.InputChannels)
    for version in family.ModelVersions:
        parts.append(_table("[[versions]]", _version_rows(version)))
        parts.extend(_table("[[versions.structures]]", _structure_rows(s)) for s in version.Structures)
        for framework in version.RegulatoryFrameworks:
            parts.append(_table("[[versions.regulatory]]", _regulatory_rows(framework)))
        parts.extend(_runtime_parts(runtimes.get(version.ID)))
    return "\n".join(parts)


def write_manifest_beside(family_file: str, policy: str, runtimes: Mapping[str, RuntimeEntry]) -> str:
    """Return the manifest of a family that is in the file `family_file`, serialized."""
    rows: list[Row] = [("file", family_file), ("on_unsuitable_scan", policy)]
    parts = [_HEADING + _rows([("format", FORMAT)]), _table("[family]", rows)]
    for version_id, runtime in runtimes.items():
        parts.append(_table("[[versions]]", [("id", version_id)]))
        parts.extend(_runtime_parts(runtime))
    return "\n".join(parts)


def says_all(manifest: str, body: bytes) -> bool:
    """Return whether reading `manifest` gives the family that `body` serializes, unknown fields included."""
    try:
        family = read_manifest(manifest.encode(), lambda name: b"").family
    except errors.InvalidModel:
        return False
    written: bytes = family.SerializeToString(deterministic=True)
    return written == ModelFamily.FromString(body).SerializeToString(deterministic=True)


def toml_value(value: Any) -> str:
    """Return `value` (text, number, boolean, time in UTC, list or table of such) as TOML."""
    if isinstance(value, str):
        # TOML's basic string is JSON's, but for the delete character, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value)


def _family_rows(family: ModelFamily, policy: str) -> list[Row]:
    about = family.FamilyDescription
    return [
        ("canonical_name", family.CanonicalName),
        ("name", about.Name),
        ("description", about.Description),
        ("clinical_domain", about.ClinicalDomain),
        ("anatomical_region", about.AnatomicalRegion),
        ("primary_structure", about.PrimaryStructure),
        ("modalities", about.Modalities),
        ("body_parts", list(map(_name_in(BODY_PARTS), about.Constraints.BodyPartsExamined))),
        ("gender", _name_in(GENDERS)(about.Constraints.Gender)),
        ("language", family.LanguageCode),
        ("on_unsuitable_scan", policy),
    ]


def _channel_rows(channel: ModelChannelDescription) -> list[Row]:
    constraints = channel.Constraints
    bounds = {
        "spacing_min_mm": "SpacingMinInMillimeters",
        "spacing_max_mm": "SpacingMaxInMillimeters",
        "size_min": "DimensionsMinInPixels",
        "size_max": "DimensionsMaxInPixels",
    }
    rows: list[Row] = [
        ("id", channel.ChannelID),
        ("modalities", list(map(_name_in(MODALITIES), constraints.AcceptedModalities))),
    ]
    for key, name in bounds.items():
        if constraints.HasField(name):
            rows.append((key, _xyz(getattr(constraints, name))))
    rows.append(("original_data_required", constraints.OriginalDataRequired))
    rows.append(("axial", constraints.IsAxial))
    return rows


def _version_rows(version: ModelVersion) -> list[Row]:
    return [
        ("id", version.ID),
        ("number", f"{version.MajorVersion}.{version.MinorVersion}"),
        ("description", version.VersionDescription),
        ("created_on", _time(version, "CreatedOn")),
        ("credits", version.NumberOfCreditsRequired),
        ("language", version.LanguageCode),
    ]


def _structure_rows(structure: Structure) -> list[Row]:
    color = structure.Color
    return [
        ("id", structure.StructureID),
        ("name", structure.Name),
        ("color", f"#{color.R:02x}{color.G:02x}{color.B:02x}"),
        ("type", _name_in(STRUCTURE_TYPES)(structure.Type)),
        ("fma", structure.FMACode),
        ("channel", structure.InputChannelID),
    ]


def _regulatory_rows(framework: RegulatoryFramework) -> list[Row]:
    return [
        ("framework", framework.Framework),
        ("status", _name_in(STATUSES)(framework.Status)),
        ("udi", framework.UDI),
        ("manufacturer", framework.Manufacturer),
        ("details_url", framework.DetailsURL),
        ("release_date", _time(framework, "ReleaseDate")),
    ]


def _runtime_parts(runtime: RuntimeEntry | None) -> list[str]:
    if runtime is None:
        return []
    rows: list[Row] = [
        ("backend", runtime.backend),
        ("interpreter", runtime.interpreter),
        ("model_file", runtime.model_file),
        ("module_file", runtime.module_file),
        ("entry", runtime.entry),
        ("check_scan", runtime.check_scan),
    ]
    parts = [_table("[versions.runtime]", rows)]
    if runtime.parameters:
        lines = [f"{_key(name)} = {toml_value(value)}\n" for name, value in runtime.parameters.items()]
        parts.append("[versions.runtime.parameters]\n" + "".join(lines))
    if runtime.handling is not None:
        parts.append(handling_text(runtime.handling))
    return parts


def handling_text(handling: ScanHandling) -> str:
    """Return the tables of a version that say `handling`."""
    return "\n".join(_handling_part(*table) for table in write_handling(handling))


def _handling_part(path: str, rows: list[Row], listed: bool) -> str:
    lines = [f"{_key(key)} = {toml_value(value)}\n" for key, value in rows]
    header = f"[[versions.{path}]]" if listed else f"[versions.{path}]"
    return f"{header}\n" + "".join(lines)


def _table(header: str, rows: Iterable[Row]) -> str:
    return f"{header}\n{_rows(rows)}"


def _rows(rows: Iterable[Row]) -> str:
    """Return a line for each row, without those that say what their absence says too."""
    written = ((key, value) for key, value in rows if value or (key in _SPEAK_WHEN_EMPTY and value == ""))
    return "".join(f"{_key(key)} = {toml_value(value)}\n" for key, value in written)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else toml_value(name)


def _name_in(kind: Any) -> Callable[[int], str]:
    """Return what names a value of the enum `kind`; one without a name is shown by its number."""
    names = {number: name for name, number in kind.items()}
    return lambda number: names.get(number, str(number))


def _time(message: Message, name: str) -> datetime | None:
    """Return the timestamp `name` in UTC, None where there is none that a date can say."""
    try:
        return getattr(message, name).ToDatetime(tzinfo=UTC) if message.HasField(name) else None
    except (ValueError, OverflowError):
        return None


def _xyz(vector: Vector3D) -> list[float]:
    return [vector.X, vector.Y, vector.Z]
