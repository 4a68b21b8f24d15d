"""The parameters of the back end nnunet, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segint_grpc import errors
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.voxel_features import LABELS
from segint_grpc.domain.handling import ORIENTATION_PAIRS

CONFIGURATION = "configuration"
CHECKPOINT = "checkpoint"
FOLDS = "folds"
TILE_STEP_SIZE = "tile_step_size"
MIRRORING = "mirroring"
ORIENTATION = "orientation"
PARAMETERS = (CONFIGURATION, CHECKPOINT, FOLDS, TILE_STEP_SIZE, MIRRORING, ORIENTATION, LABELS, DEVICE)

ALL_CASES = "all"
"""The fold of nnU-Net that was trained on every case."""


@dataclass(frozen=True)
class Options:
    """What the parameters say; what is empty is left to the model."""

    configuration: str = ""
    checkpoint: str = ""
    folds: tuple[str, ...] = ()
    tile_step_size: float = 0.5
    mirroring: bool = True
    orientation: str = ""
    device: str = ""


def wanted_options(parameters: Mapping[str, Any]) -> Options:
    """Return what `parameters` say, `labels` aside (nnunet_labels.py).

    Raises:
        InvalidModel: one of them cannot be.
    """
    return Options(
        configuration=_name(parameters, CONFIGURATION),
        checkpoint=_name(parameters, CHECKPOINT),
        folds=_folds(parameters.get(FOLDS, [])),
        tile_step_size=_step(parameters.get(TILE_STEP_SIZE, 0.5)),
        mirroring=_flag(parameters, MIRRORING),
        orientation=_letters(parameters.get(ORIENTATION, "")),
        device=wanted_device(parameters),
    )


def _name(parameters: Mapping[str, Any], parameter: str) -> str:
    name = parameters.get(parameter, "")
    if not isinstance(name, str) or "/" in name:
        raise errors.InvalidModel(f"The parameter {parameter} must be a name, not {name!r:.60}.")
    return name


def _folds(given: Any) -> tuple[str, ...]:
    folds = given if isinstance(given, list) else [given]
    for fold in folds:
        number = isinstance(fold, int) and not isinstance(fold, bool) and fold >= 0
        if not number and fold != ALL_CASES:
            raise errors.InvalidModel(
                f'The parameter {FOLDS} must be a list of numbers or "{ALL_CASES}", not {given!r:.60}.'
            )
    return tuple(dict.fromkeys(map(str, folds)))


def _step(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0.1 <= given <= 1:
        raise errors.InvalidModel(
            f"The parameter {TILE_STEP_SIZE} must be a share of the tile between 0.1 and 1, "
            f"not {given!r:.60}."
        )
    return float(given)


def _flag(parameters: Mapping[str, Any], parameter: str) -> bool:
    given = parameters.get(parameter, True)
    if not isinstance(given, bool):
        raise errors.InvalidModel(f"The parameter {parameter} must be true or false, not {given!r:.60}.")
    return given


def _letters(given: Any) -> str:
    letters = given if isinstance(given, str) else "?"
    pairs = [next((pair for pair in ORIENTATION_PAIRS if letter in pair), "") for letter in letters]
    if letters and sorted(pairs) != sorted(ORIENTATION_PAIRS):
        raise errors.InvalidModel(
            f"The parameter {ORIENTATION} must say where columns, rows and slices of the training files grow "
            f"to, a letter each of L or R, P or A, S or I, as in LPS, not {given!r:.60}."
        )
    return letters
