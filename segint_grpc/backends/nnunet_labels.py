"""Which of an nnU-Net's labels and channels are which of a version's structures and channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.voxel_features import LABELS
from segint_grpc.domain.output_names import meant, words_of

Labels = tuple[int, ...]
"""Values of the segmentation that are one structure: several for a region."""


def wanted_labels(source: ModelSource, known: Mapping[str, Labels]) -> dict[str, Labels]:
    """Return StructureID → labels: those of its StructureID or Name in `known`, or what `labels` says.

    Raises:
        InvalidModel: a structure has no label, or the parameter names what is not there.
    """
    given = source.parameters.get(LABELS, {})
    ids = [structure.structure_id for structure in source.structures]
    if not isinstance(given, Mapping) or not set(given) <= set(ids):
        raise errors.InvalidModel(
            f"The parameter {LABELS} must give labels for structures ({', '.join(ids)}), not {given!r:.100}."
        )
    found = {name: _given(name, value, known) for name, value in given.items()}
    for structure in source.structures:
        name = meant(structure.structure_id, known) or meant(structure.name, known)
        if structure.structure_id not in found and name is None:
            raise errors.InvalidModel(
                f"The model has no label for the structure {structure.structure_id} ({structure.name}); it "
                f"has {', '.join(known)}. Say with the parameter {LABELS} which is which, as in "
                f'{{"{structure.structure_id}": "{next(iter(known), "liver")}"}}.'
            )
        if name is not None:
            found.setdefault(structure.structure_id, known[name])
    return {name: found[name] for name in ids}


def channel_order(channel_ids: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """Return which of the channels `channel_ids` is each of the model's, called `names`.

    By their names, where each is the name of one channel; else in the version's order.

    Raises:
        InvalidModel: their numbers differ.
    """
    if len(channel_ids) != len(names):
        raise errors.InvalidModel(
            f"The model was trained on {len(names)} channels ({', '.join(names)}); the version has "
            f"{len(channel_ids)} ({', '.join(channel_ids)})."
        )
    plain = [words_of(channel_id) for channel_id in channel_ids]
    wanted = [words_of(name) for name in names]
    if sorted(plain) == sorted(wanted) and len(set(plain)) == len(plain):
        return tuple(plain.index(name) for name in wanted)
    return tuple(range(len(names)))


def masks_of(label_kji: NDArray[Any], labels: Mapping[str, Labels]) -> dict[str, NDArray[np.bool_]]:
    """Return StructureID → mask_kji; a region's is the union of its labels."""
    return {
        name: label_kji == values[0] if len(values) == 1 else np.isin(label_kji, values)
        for name, values in labels.items()
    }


def _given(structure_id: str, value: Any, known: Mapping[str, Labels]) -> Labels:
    if isinstance(value, str) and value in known:
        return known[value]
    several = tuple(value) if isinstance(value, list) else (value,)
    numbers = sorted({label for labels in known.values() for label in labels})
    if not several or any(isinstance(label, bool) or label not in numbers for label in several):
        raise errors.InvalidModel(
            f"The model has no label {value!r:.60}, which the parameter {LABELS} gives to {structure_id}; it "
            f"has {', '.join(f'{name} ({label_text(labels)})' for name, labels in known.items()):.300}."
        )
    return several


def label_text(labels: Labels) -> str:
    """Return `labels` as a sentence has them, as in "3" or "1, 2 and 3"."""
    *first, last = map(str, labels)
    return f"{', '.join(first)} and {last}" if first else last
