"""Writes the two files that go with hu_ranges.py: the family, and the weights.

Usage: python examples/hu_ranges/make.py FOLDER
A family (Radiomics.ModelFamily, protos/radiomics/Model.proto) tells Velocity what a model is and draws.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from google.protobuf.timestamp_pb2 import Timestamp
from hu_ranges import HuRanges

from generated.radiomics import Model_pb2

VERSION_ID = "HU Ranges"
STRUCTURES = (
    ("body", "Body", (90, 200, 90), Model_pb2.Structure.External),
    ("lungs", "Lungs and gas", (80, 160, 255), Model_pb2.Structure.Organ),
    ("bone", "Bone and contrast", (255, 225, 90), Model_pb2.Structure.Organ),
    ("soft_tissue", "Soft tissue", (255, 110, 90), Model_pb2.Structure.Organ),
)


def family() -> Model_pb2.ModelFamily:
    """Return the family: one CT channel, one version, four structures."""
    made = Model_pb2.ModelFamily(CanonicalName="HU Ranges", LanguageCode="en")
    about = made.FamilyDescription
    about.Name = "Tissues by Hounsfield units"
    about.Description = "An example without training: thresholds. Not for clinical use."
    about.AnatomicalRegion = "THORAX"
    about.PrimaryStructure = "Lungs"
    about.Modalities = "CT"
    about.Constraints.BodyPartsExamined.append(Model_pb2.ModelConstraints.Chest)
    about.Constraints.Gender = Model_pb2.ModelConstraints.Any
    channel = about.InputChannels.add(ChannelID="ct")
    channel.Constraints.AcceptedModalities.append(Model_pb2.ModelChannelConstraints.CT)
    made.ModelVersions.append(version())
    return made


def version() -> Model_pb2.ModelVersion:
    """Return the version; its ID is what `segint segment --model` takes."""
    made = Model_pb2.ModelVersion(ID=VERSION_ID, MajorVersion=1, LanguageCode="en")
    made.CreatedOn.CopyFrom(Timestamp(seconds=1_767_225_600))  # 2026-01-01
    for structure_id, name, (red, green, blue), kind in STRUCTURES:
        structure = made.Structures.add(StructureID=structure_id, Name=name, Type=kind, InputChannelID="ct")
        structure.Color.R, structure.Color.G, structure.Color.B = red, green, blue
    return made


def main() -> int:
    """Run from the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hu_ranges.pb").write_bytes(family().SerializeToString())
    torch.save(HuRanges().state_dict(), folder / "hu_ranges.pt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
