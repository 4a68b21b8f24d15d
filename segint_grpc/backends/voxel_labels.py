"""Which of a classifier's classes is which structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.voxel_features import LABELS

LABEL_MAX = 32_767


def given_labels(source: ModelSource, what: str) -> Mapping[str, Any] | None:
    """Return the parameter `labels`, which gives `what` for each structure; None where it is not there.

    Raises:
        InvalidModel: it names other structures than the version has.
    """
    ids = [structure.structure_id for structure in source.structures]
    given = source.parameters.get(LABELS)
    if given is not None and (not isinstance(given, Mapping) or set(given) != set(ids)):
        raise errors.InvalidModel(
            f"The parameter {LABELS} must give {what} for each structure ({', '.join(ids):.300}), "
            f"not {given!r:.100}."
        )
    return given


def wanted_labels(source: ModelSource) -> dict[str, int]:
    """Return StructureID → class: the parameter `labels`, by default 1, 2, … in the version's order.

    Raises:
        InvalidModel: it names other structures than the version has, or no classes.
    """
    given = given_labels(source, "a class")
    if given is None:
        return {spec.structure_id: number for number, spec in enumerate(source.structures, start=1)}
    for name, label in given.items():
        if not isinstance(label, int) or not 0 <= label <= LABEL_MAX:
            raise errors.InvalidModel(f"The class of {name} must be a whole number, not {label!r:.60}.")
    return dict(given)


def check_classes(labels: Mapping[str, int], classes: Sequence[int]) -> None:
    """Raise InvalidModel if a structure has a class that the model does not know."""
    strangers = [f"{name} ({label})" for name, label in labels.items() if label not in classes]
    if strangers:
        raise errors.InvalidModel(
            f"The model has the classes {', '.join(map(str, list(classes)[:10]))}, which lack that of "
            f"{', '.join(strangers)}; say with the parameter {LABELS} which structure is which class."
        )


def check_feature_count(declared: int, found: int) -> None:
    """Raise InvalidModel unless the model was trained on as many features as are declared."""
    if declared != found:
        raise errors.InvalidModel(
            f"The model was trained on {found} features; the parameter features has {declared}."
        )


def masks_of(label_kji: NDArray[np.int16], labels: Mapping[str, int]) -> dict[str, NDArray[np.bool_]]:
    """Return StructureID → mask_kji."""
    return {name: label_kji == label for name, label in labels.items()}
