"""What a family must be for its versions to run: names that can be told apart, channels that exist."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from generated.radiomics.Model_pb2 import ModelFamily, ModelVersion
from segint_grpc import errors

NAME_LENGTH_MAX = 200
_RESERVED = (".", "..")


def parse_family(body: bytes) -> ModelFamily:
    """Return the family that `body` serializes.

    Raises:
        UnparsableMessage: it serializes none.
    """
    try:
        return ModelFamily.FromString(body)
    except DecodeError:
        raise errors.UnparsableMessage("The bytes are no serialized Radiomics.ModelFamily.") from None


def check_family(family: ModelFamily) -> None:
    """Check everything that running the family's versions relies on.

    Raises:
        InvalidModel: a name cannot be used, or something is missing, double or refers to nothing.
    """
    _check_name("The family's CanonicalName", family.CanonicalName)
    channels = family.FamilyDescription.InputChannels
    if not channels:
        raise errors.InvalidModel(f"The family {family.CanonicalName!r} has no input channel.")
    channel_ids = [channel.ChannelID for channel in channels]
    _check_ids("An input channel's ChannelID", channel_ids)
    if not family.ModelVersions:
        raise errors.InvalidModel(f"The family {family.CanonicalName!r} has no version.")
    _check_ids("A version's ID", [version.ID for version in family.ModelVersions])
    for version in family.ModelVersions:
        _check_structures(version, channel_ids)


def is_clean(name: str) -> bool:
    """Return whether `name` holds no control characters, line separators or unassigned characters."""
    return not any(unicodedata.category(c).startswith("C") or c in "\u2028\u2029" for c in name)


def _check_structures(version: ModelVersion, channel_ids: list[str]) -> None:
    if not version.Structures:
        raise errors.InvalidModel(f"The version {version.ID!r} has no structure, so it has nothing to draw.")
    _check_ids(
        f"A StructureID of the version {version.ID!r}", [item.StructureID for item in version.Structures]
    )
    for structure in version.Structures:
        if not is_clean(structure.Name):
            raise errors.InvalidModel(f"The structure name {structure.Name[:64]!r} has control characters.")
        named = structure.InputChannelID
        # With one channel there is no question which one is meant.
        if named not in channel_ids and (named or len(channel_ids) > 1):
            raise errors.InvalidModel(
                f"The structure {structure.StructureID!r} of the version {version.ID!r} lies on the input "
                f"channel {named[:64]!r}; the family has {', '.join(map(repr, channel_ids))}."
            )


def _check_ids(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        _check_name(what, name)
        if name in seen:
            raise errors.InvalidModel(f"{what} occurs twice: {name!r}.")
        seen.add(name)


def _check_name(what: str, name: str) -> None:
    if not name.strip():
        raise errors.InvalidModel(f"{what} is empty.")
    if len(name) > NAME_LENGTH_MAX:
        raise errors.InvalidModel(f"{what} has {len(name)} characters; the most are {NAME_LENGTH_MAX}.")
    if not is_clean(name):
        raise errors.InvalidModel(f"{what} has control characters: {name[:64]!r}.")
    if name in _RESERVED:
        raise errors.InvalidModel(f"{what} is one that no URL can hold: {name!r}.")
