"""The family that every empty home starts with: a box in the middle of the scan, drawn by the phantom.

Every enum is set explicitly, since an unset one reads as its zero (status Clinical, structure External …).
"""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from generated.radiomics.Model_pb2 import (
    ColorRGB,
    ModelChannelConstraints,
    ModelChannelDescription,
    ModelConstraints,
    ModelFamily,
    ModelFamilyDescription,
    ModelVersion,
    Structure,
)

CHANNEL_ID = "1"
BACKEND = "phantom"


def sample_family() -> ModelFamily:
    """Return the sample family."""
    return ModelFamily(
        CanonicalName="Centered Square",
        FamilyDescription=_description(),
        ModelVersions=[_version()],
        LanguageCode="en",
    )


def _description() -> ModelFamilyDescription:
    accepted = ModelChannelConstraints(AcceptedModalities=[ModelChannelConstraints.ModalityTypes.CT])
    return ModelFamilyDescription(
        Name="Centered Square Mock Models",
        Description="Draws a box in the middle of the scan, to try the connection. It knows no anatomy.",
        ClinicalDomain="IO",
        AnatomicalRegion="THORAX",
        PrimaryStructure="Liver",
        Modalities="CT",
        InputChannels=[ModelChannelDescription(ChannelID=CHANNEL_ID, Constraints=accepted)],
        Constraints=ModelConstraints(
            BodyPartsExamined=[ModelConstraints.BodyPartExaminedType.Abdomen],
            Gender=ModelConstraints.GenderType.Any,
        ),
    )


def _version() -> ModelVersion:
    liver = Structure(
        Name="liver",
        Color=ColorRGB(R=255, G=120, B=0),
        Type=Structure.StructureType.Organ,
        FMACode=4567,
        InputChannelID=CHANNEL_ID,
        StructureID="1",
    )
    return ModelVersion(
        ID="Centered Orange Square",
        VersionDescription="A box in the middle of the scan",
        CreatedOn=Timestamp(seconds=1_595_947_330),
        Structures=[liver],
        MajorVersion=0,
        MinorVersion=1,
        LanguageCode="en",
    )
