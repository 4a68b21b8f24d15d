"""Which of a MONAI bundle's outputs is which structure: by channel_def of its metadata.json, or as told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource, StructureSpec
from segint_grpc.backends.voxel_features import LABELS
from segint_grpc.backends.voxel_labels import LABEL_MAX, given_labels
from segint_grpc.domain.output_names import is_background, meant, output_names

Labels = Mapping[str, Sequence[int]]
"""StructureID → the values of a map of labels, or the numbers of channels, that are the structure."""


@dataclass(frozen=True)
class OutputLabels:
    """Where each structure is in what the bundle returns.

    `map_is_known`: whether the numbers are the values, too, of a map that holds a value for each voxel. With
    a channel_def that has no background they are not: such channels overlap, and a map counts otherwise.
    """

    labels: Labels
    map_is_known: bool
    outputs: int


def wanted_outputs(source: ModelSource, metadata: Mapping[str, Any]) -> OutputLabels:
    """Return where the structures of `source` are: by the parameter `labels`, else by `metadata`.

    Raises:
        InvalidModel: a structure is found in neither.
    """
    named = output_names(metadata)
    given = given_labels(source, "a number")
    if given is not None:
        numbered = {
            name: _whole(name, value if isinstance(value, list) else [value]) for name, value in given.items()
        }
        return OutputLabels(numbered, map_is_known=True, outputs=len(named))
    numbers = {name: number for number, name in named.items() if not is_background(name)}
    found = {one.structure_id: _number(one, numbers) for one in source.structures}
    missing = [name for name, number in found.items() if number is None]
    if missing:
        has = ", ".join(named.values()) or "none"
        raise errors.InvalidModel(
            f"The bundle's metadata.json names no output for {', '.join(missing)}; its channel_def has "
            f"{has:.300}. Call the structures so, or say with the parameter labels which is which."
        )
    labels = {name: (number,) for name, number in found.items() if number is not None}
    return OutputLabels(labels, is_background(named.get(0, "background")), len(named))


def _number(structure: StructureSpec, numbers: Mapping[str, int]) -> int | None:
    name = meant(structure.structure_id, numbers) or meant(structure.name, numbers)
    return None if name is None else numbers[name]


def _whole(name: str, values: Sequence[Any]) -> Sequence[int]:
    fine = all(type(value) is int and 0 <= value <= LABEL_MAX for value in values)
    if not fine or not values:
        raise errors.InvalidModel(
            f"The parameter {LABELS} must have a whole number for {name}, or a list of such, not "
            f"{values!r:.60}."
        )
    return values
