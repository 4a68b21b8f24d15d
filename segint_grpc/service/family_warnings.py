"""What in a family looks like a mistake: chiefly enums that were left to their zero (proto3 cannot tell)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import product

from generated.radiomics.Model_pb2 import (
    ModelChannelConstraints,
    ModelFamily,
    ModelVersion,
    RegulatoryFramework,
    Structure,
)

STRUCTURE_NAME_MAX = 16
"""A DICOM short string (SH, PS3.5 section 6.2) holds no more, and some software cuts names there."""

OUTLINE_WORDS = ("external", "body", "skin", "outline", "patient")
COLOR_MAX = 255
BOUNDS = (
    ("spacing", "SpacingMinInMillimeters", "SpacingMaxInMillimeters"),
    ("size", "DimensionsMinInPixels", "DimensionsMaxInPixels"),
)


def warnings_about(family: ModelFamily) -> list[str]:
    """Return a sentence for each thing in `family` that a person should look at."""
    found = list(contradictions(family))
    for version in family.ModelVersions:
        found += [f"{version.ID}: {finding}" for finding in _about_version(version)]
    return found


def contradictions(family: ModelFamily) -> Iterator[str]:
    """Yield a sentence for each bound of the family's channels that no scan can be within."""
    for channel in family.FamilyDescription.InputChannels:
        for (what, low, high), axis in product(BOUNDS, "XYZ"):
            lowest, highest = (_bound(channel.Constraints, name, axis) for name in (low, high))
            if not (_is_length(lowest) and _is_length(highest)):
                yield f"Channel {channel.ChannelID!r}: a bound of the {what} along {axis} is no length."
            elif lowest is not None and highest is not None and lowest > highest:
                yield (
                    f"Channel {channel.ChannelID!r}: no {what} along {axis} is at least {lowest:g} and "
                    f"at most {highest:g}."
                )


def _bound(constraints: ModelChannelConstraints, name: str, axis: str) -> float | None:
    return float(getattr(getattr(constraints, name), axis)) if constraints.HasField(name) else None


def _is_length(bound: float | None) -> bool:
    return bound is None or (math.isfinite(bound) and bound >= 0)


def _about_version(version: ModelVersion) -> Iterator[str]:
    if "/" in version.ID:
        yield "its ID holds a /, which clients that do not encode it take for the end of the ID."
    for framework in version.RegulatoryFrameworks:
        if framework.Status == RegulatoryFramework.StatusEnum.Clinical:
            yield (
                f"its regulatory status ({framework.Framework or 'no framework'}) is Clinical, which is also "
                "what an unset status reads as; is it cleared for clinical use?"
            )
    yield from _about_outlines(version.Structures)
    yield from _about_colors(version.Structures)
    yield from _about_names([structure.Name for structure in version.Structures])


def _about_outlines(structures: Sequence[Structure]) -> Iterator[str]:
    externals = [s.Name for s in structures if s.Type == Structure.StructureType.External]
    if len(externals) > 1:
        yield (
            f"{len(externals)} structures are External, the body's outline ({', '.join(externals)}); "
            "an unset type reads as External."
        )
    for name in externals:
        if not any(word in name.lower() for word in OUTLINE_WORDS):
            yield f"the structure {name!r} is External, the body's outline, but is not named so."
    for structure in structures:
        if structure.Type == Structure.StructureType.Organ and structure.Name.lower() in OUTLINE_WORDS:
            yield (
                f"the structure {structure.Name!r} is an Organ, but is named as the body's outline; is it "
                "External? CreateFamily takes that from external_structures."
            )


def _about_colors(structures: Sequence[Structure]) -> Iterator[str]:
    for structure in structures:
        if max(structure.Color.R, structure.Color.G, structure.Color.B) > COLOR_MAX:
            yield f"the color of the structure {structure.Name!r} has a part over {COLOR_MAX}."


def _about_names(names: list[str]) -> Iterator[str]:
    for name in names:
        if len(name) > STRUCTURE_NAME_MAX:
            yield f"the structure name {name!r} has {len(name)} characters; some software cuts it at 16."
    alike = defaultdict(list)
    for name in names:
        alike[name.casefold()].append(name)
    for same in alike.values():
        if len(same) > 1:
            yield f"the structures {', '.join(map(repr, same))} have names that differ at most by case."
