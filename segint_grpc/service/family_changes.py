"""What a changed family means for its versions, and keeping what of it a client could not see."""

from __future__ import annotations

from google.protobuf.message import Message

from generated.radiomics.Model_pb2 import ModelFamily, ModelVersion
from segint_grpc import errors
from segint_grpc.service.family_rules import parse_family

KEYS = ("ID", "StructureID", "ChannelID", "Framework")
"""What tells the parts of a list apart: the first of these that its messages have."""


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


def keep_unknown(after: Message, before: Message) -> None:
    """Give `after` the unknown fields of `before`, and so their parts, where it has none of its own.

    JSON and text format cannot carry them, so a family that was read and written in these has lost them.
    """
    lost = _unknown(before)
    if lost and not _unknown(after):
        after.MergeFromString(lost)
    for field, value in before.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            _keep_in_list(getattr(after, field.name), value)
        elif after.HasField(field.name):
            keep_unknown(getattr(after, field.name), value)


def _keep_in_list(after: list[Message], before: list[Message]) -> None:
    known = {_key(message, number): message for number, message in enumerate(before)}
    for number, message in enumerate(after):
        if _key(message, number) in known:
            keep_unknown(message, known[_key(message, number)])


def _key(message: Message, number: int) -> object:
    names = message.DESCRIPTOR.fields_by_name
    return next((getattr(message, key) for key in KEYS if key in names), number)


def _unknown(message: Message) -> bytes:
    """Return the serialized unknown fields of `message` itself."""
    bare = type(message)()
    bare.CopyFrom(message)
    for field, _ in bare.ListFields():
        bare.ClearField(field.name)
    return bare.SerializeToString()


def _definition(family: ModelFamily, version: ModelVersion) -> object:
    channels = [channel.ChannelID for channel in family.FamilyDescription.InputChannels]
    return channels, [(s.StructureID, s.InputChannelID, s.Name) for s in version.Structures]
