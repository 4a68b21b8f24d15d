"""Reads the parts of a Radiomics.ModelFamily out of a manifest's tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from generated.radiomics.Model_pb2 import (
    ColorRGB,
    ModelChannelConstraints,
    ModelChannelDescription,
    ModelConstraints,
    ModelFamily,
    ModelFamilyDescription,
    ModelVersion,
    RegulatoryFramework,
    Structure,
)
from generated.radiomics.Primitives3D_pb2 import Vector3D
from segint_grpc.packaging.fields import Fields

MODALITIES = ModelChannelConstraints.ModalityTypes
BODY_PARTS = ModelConstraints.BodyPartExaminedType
GENDERS = ModelConstraints.GenderType
STRUCTURE_TYPES = Structure.StructureType
STATUSES = RegulatoryFramework.StatusEnum

_COLOR = re.compile("#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_NUMBER = re.compile(r"(\d{1,9})\.(\d{1,9})")
_COLOR_MAX = 255


def read_family(fields: Fields) -> ModelFamily:
    """Return the family that [family] describes, still without channels and versions."""
    canonical_name = fields.text("canonical_name")
    constraints = ModelConstraints(
        BodyPartsExamined=fields.some_of("body_parts", BODY_PARTS.keys()),
        Gender=fields.one_of("gender", GENDERS.keys(), "Any") or "Any",
    )
    description = ModelFamilyDescription(
        Name=fields.text("name", canonical_name),
        Description=fields.text("description", ""),
        ClinicalDomain=fields.text("clinical_domain", ""),
        AnatomicalRegion=fields.text("anatomical_region", ""),
        PrimaryStructure=fields.text("primary_structure", ""),
        Modalities=fields.text("modalities", ""),
        Constraints=constraints,
    )
    return ModelFamily(
        CanonicalName=canonical_name,
        FamilyDescription=description,
        LanguageCode=fields.text("language", "en"),
    )


def read_channel(fields: Fields) -> ModelChannelDescription:
    """Return the channel that an element of [[channels]] describes."""
    accepted = fields.some_of("modalities", MODALITIES.keys())
    spacing = _read_bounds(fields, "spacing_min_mm", "spacing_max_mm")
    size = _read_bounds(fields, "size_min", "size_max")
    constraints = ModelChannelConstraints(
        AcceptedModalities=accepted,
        SpacingMinInMillimeters=spacing[0],
        SpacingMaxInMillimeters=spacing[1],
        DimensionsMinInPixels=size[0],
        DimensionsMaxInPixels=size[1],
        OriginalDataRequired=fields.boolean("original_data_required", False),
        IsAxial=fields.boolean("axial", False),
    )
    return ModelChannelDescription(ChannelID=fields.text("id"), Constraints=constraints)


def read_version(fields: Fields, channel_ids: Sequence[str]) -> ModelVersion:
    """Return the version that an element of [[versions]] describes; its runtime is left to be read."""
    major, minor = _read_number(fields)
    structures = fields.tables("structures", lambda table: _read_structure(table, channel_ids))
    _check_unique(fields, [structure.StructureID for structure in structures])
    version = ModelVersion(
        ID=fields.text("id"),
        VersionDescription=fields.text("description", ""),
        Structures=structures,
        NumberOfCreditsRequired=fields.number("credits", 0.0),
        MajorVersion=major,
        MinorVersion=minor,
        RegulatoryFrameworks=fields.tables("regulatory", _read_regulatory, required=False),
        LanguageCode=fields.text("language", "en"),
    )
    _set_time(version.CreatedOn, fields.time("created_on"))
    return version


def modalities(family: ModelFamily) -> list[str]:
    """Return the names of the modalities that the family's channels accept, each once."""
    channels = family.FamilyDescription.InputChannels
    accepted = (kind for channel in channels for kind in channel.Constraints.AcceptedModalities)
    return list(dict.fromkeys(MODALITIES.Name(kind) for kind in accepted))


def _read_bounds(fields: Fields, least_key: str, most_key: str) -> tuple[Vector3D | None, Vector3D | None]:
    """Return the lower and the upper bound along X, Y and Z, None for each that is not written."""
    least, most = fields.numbers(least_key, 3), fields.numbers(most_key, 3)
    if least and most and any(low > high for low, high in zip(least, most, strict=True)):
        fields.wrong(most_key, f"is below {least_key} in one direction.")
    return _vector(least), _vector(most)


def _vector(xyz: tuple[float, ...] | None) -> Vector3D | None:
    return Vector3D(X=xyz[0], Y=xyz[1], Z=xyz[2]) if xyz else None


def _read_number(fields: Fields) -> tuple[int, int]:
    number = fields.text("number")
    match = _NUMBER.fullmatch(number)
    if match:
        return int(match[1]), int(match[2])
    if number:
        fields.wrong("number", f'must be major and minor number, as in "1.0", not {number!r}.')
    return 0, 0


def _read_structure(fields: Fields, channel_ids: Sequence[str]) -> Structure:
    only = channel_ids[:1] if len(channel_ids) == 1 else ()
    structure_id = fields.text("id")
    kind = fields.one_of("type", STRUCTURE_TYPES.keys(), "Organ") or "Organ"
    return Structure(
        StructureID=structure_id,
        Name=fields.text("name", structure_id),
        Color=_read_color(fields),
        Type=kind,
        FMACode=fields.whole("fma", 0),
        InputChannelID=fields.one_of("channel", channel_ids, *only),
    )


def _read_color(fields: Fields) -> ColorRGB:
    written = fields.value("color")
    if isinstance(written, list) and len(written) == 3 and all(map(_is_component, written)):
        return ColorRGB(R=written[0], G=written[1], B=written[2])
    match = _COLOR.fullmatch(written) if isinstance(written, str) else None
    if match:
        return ColorRGB(R=int(match[1], 16), G=int(match[2], 16), B=int(match[3], 16))
    problem = "is missing" if written is None else f"cannot be {written!r}"
    fields.wrong("color", f'{problem}. Write red, green and blue as in "#ff7800" or [255, 120, 0].')
    return ColorRGB()


def _is_component(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COLOR_MAX


def _read_regulatory(fields: Fields) -> RegulatoryFramework:
    status = fields.one_of("status", STATUSES.keys()) or "Investigational"
    framework = RegulatoryFramework(
        Framework=fields.text("framework"),
        Status=status,
        UDI=fields.text("udi", ""),
        Manufacturer=fields.text("manufacturer", ""),
        DetailsURL=fields.text("details_url", ""),
    )
    _set_time(framework.ReleaseDate, fields.time("release_date"))
    return framework


def _set_time(field: Timestamp, time: datetime | None) -> None:
    if time is not None:
        field.FromDatetime(time)


def _check_unique(fields: Fields, structure_ids: Sequence[str]) -> None:
    for index, name in enumerate(structure_ids):
        if name and name in structure_ids[:index]:
            fields.wrong("structures", f"has two with the id {name!r}.")
