"""Families for tests that need no weights."""

from __future__ import annotations

from collections.abc import Sequence

from generated.radiomics.Model_pb2 import ModelChannelDescription, ModelFamily, ModelVersion, Structure


def a_structure(structure_id: str = "1", channel_id: str = "ct", name: str = "Liver") -> Structure:
    kind = Structure.StructureType.Organ
    return Structure(StructureID=structure_id, Name=name, Type=kind, InputChannelID=channel_id)


def a_version(version_id: str, structures: Sequence[Structure] | None = None) -> ModelVersion:
    shown = [a_structure()] if structures is None else structures
    return ModelVersion(ID=version_id, MajorVersion=1, LanguageCode="en", Structures=shown)


def a_family(
    name: str = "Livers",
    versions: Sequence[str | ModelVersion] = ("Liver 1",),
    channels: Sequence[str] = ("ct",),
) -> ModelFamily:
    """A family of `versions`, each given whole or by its ID alone."""
    family = ModelFamily(CanonicalName=name, LanguageCode="en")
    family.FamilyDescription.Name = name
    family.FamilyDescription.InputChannels.extend(ModelChannelDescription(ChannelID=c) for c in channels)
    family.ModelVersions.extend(v if isinstance(v, ModelVersion) else a_version(v) for v in versions)
    return family
