"""What a changed family means for its versions, and for what of it nobody here knows."""

from __future__ import annotations

from generated.radiomics.Model_pb2 import ModelFamily, ModelVersion
from segint_grpc import errors
from segint_grpc.service.family_rules import parse_family


def redefined(before: bytes, family: ModelFamily) -> set[str]:
    """Return the IDs of the versions that read or draw something else in `family` than in the body `before`.

    What was checked was the version as it was, so these are due to be checked again. The structures' names
    count, because the check tells left from right by them; their colours and codes do not.
    """
    try:
        was = parse_family(before)
    except errors.UnparsableMessage:
        return {version.ID for version in family.ModelVersions}
    versions = {version.ID: version for version in was.ModelVersions}
    return {
        version.ID
        for version in family.ModelVersions
        if version.ID in versions and _definition(was, versions[version.ID]) != _definition(family, version)
    }


def _definition(family: ModelFamily, version: ModelVersion) -> object:
    channels = [channel.ChannelID for channel in family.FamilyDescription.InputChannels]
    return channels, [(s.StructureID, s.InputChannelID, s.Name) for s in version.Structures]
