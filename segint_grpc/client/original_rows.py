"""Families of the original research server, from its tables to the interface's messages.

The facts of its schema are those of the public repository VarianAPIs/SegInt-Research (Django, application
`segint_api`). The rows are what its administrators edited; the stored `.pb` is what a family was first
uploaded as, and the only place of what no table has, such as RegulatoryFrameworks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError, Message

from generated.radiomics.Model_pb2 import ModelConstraints, ModelFamily, ModelVersion, Structure

Row = Mapping[str, Any]

FAMILY = {"canonical_name": "CanonicalName", "language_code": "LanguageCode"}
DESCRIPTION = {
    "name": "Name",
    "description": "Description",
    "clinical_domain": "ClinicalDomain",
    "anatomical_region": "AnatomicalRegion",
    "primary_structure": "PrimaryStructure",
    "modalities": "Modalities",
}
VERSION = {
    "model_version_id": "ID",
    "model_version_desc": "VersionDescription",
    "credits_req": "NumberOfCreditsRequired",
    "major_version": "MajorVersion",
    "minor_version": "MinorVersion",
    "language_code": "LanguageCode",
}
STRUCTURE = {
    "name": "Name",
    "structure_type": "Type",
    "FMA_code": "FMACode",
    "input_channel_id": "InputChannelID",
    "structure_id": "StructureID",
}
BOUNDS = {
    "spacing_min": "SpacingMinInMillimeters",
    "spacing_max": "SpacingMaxInMillimeters",
    "dimensions_min": "DimensionsMinInPixels",
    "dimensions_max": "DimensionsMaxInPixels",
}


def build_family(row: Row, parts: Sequence[Row], channels: Sequence[Row], stored: bytes) -> ModelFamily:
    """Return a family with the versions that were `stored`: its row over these.

    A row without a name is one that was uploaded and never asked for: then only what was stored counts.

    Args:
        row: of modelfamily.
        parts: of bodypartexamined.
        channels: of modelchanneldescription.
        stored: the family's `.pb`, or nothing.

    Raises:
        ValueError, TypeError: a value is not what its field takes.
    """
    family = parse_family(stored)
    if not row["canonical_name"] and stored:
        return family
    put(family, FAMILY, row)
    description = family.FamilyDescription
    put(description, DESCRIPTION, row)
    gender = row.get("gender")
    description.Constraints.Gender = ModelConstraints.GenderType.Any if gender is None else gender
    if parts:
        found = [part["part_type"] for part in parts if part["part_type"] is not None]
        del description.Constraints.BodyPartsExamined[:]
        description.Constraints.BodyPartsExamined.extend(found)
    if channels:
        del description.InputChannels[:]
        for channel in channels:
            _channel(description.InputChannels.add(), channel)
    return family


def build_version(row: Row, structures: Sequence[Row], stored: ModelVersion | None) -> ModelVersion:
    """Return a version, its row over what was `stored`; raises as `build_family`."""
    version = ModelVersion()
    if stored is not None:
        version.CopyFrom(stored)
    put(version, VERSION, row)
    if row.get("created_time"):
        moment = datetime.fromisoformat(str(row["created_time"]))
        version.CreatedOn.FromDatetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if structures:
        del version.Structures[:]
    for structure in structures:
        # Unset would read as External, the body outline.
        added = version.Structures.add(Type=Structure.StructureType.Unknown)
        put(added, STRUCTURE, structure)
        put(added.Color, {"color_r": "R", "color_g": "G", "color_b": "B"}, structure)
    return version


def check_version(version: ModelVersion) -> None:
    """Raise ValueError where a version alone would keep its whole family from being taken."""
    if not version.ID:
        raise ValueError("it has no id")
    if not version.Structures:
        raise ValueError("it has no structure")
    ids = [structure.StructureID for structure in version.Structures]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two of its structures have the id {twice!r}")


def parse_family(stored: bytes) -> ModelFamily:
    """Return the family that `stored` serializes; raises ValueError where it does not."""
    try:
        return ModelFamily.FromString(stored)
    except DecodeError:
        raise ValueError("its .pb is no model family") from None


def put(message: Message, fields: Mapping[str, str], row: Row) -> None:
    """Set the fields of `message` from the columns of `row` that hold something; raises as `build_family`."""
    for column, name in fields.items():
        if row.get(column) is not None:
            setattr(message, name, type(getattr(message, name))(row[column]))


def _channel(channel: Any, row: Row) -> None:
    put(channel, {"channel_id": "ChannelID"}, row)
    constraints = channel.Constraints
    put(constraints, {"req_original": "OriginalDataRequired", "is_axial": "IsAxial"}, row)
    for prefix, name in BOUNDS.items():
        axes = {f"{prefix}_{axis.lower()}": axis for axis in "XYZ"}
        put(getattr(constraints, name), axes, row)
    modalities = re.findall(r"\d+", row.get("accepted_modalities_pb") or "")
    constraints.AcceptedModalities.extend(map(int, modalities))
