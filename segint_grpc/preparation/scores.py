"""What a model returns, kept as small as will do: a label for each voxel, or a byte for each structure.

Floats for every class are kept for no longer than the tiles that they come from overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry

FULL = 255
"""A share of 1, as it is kept."""

LABEL_MAX = 2**16 - 1
CHUNK_SLICES = 8


@dataclass(frozen=True)
class Found:
    """What was found on the grid of `geometry`.

    `values` holds one volume of labels, or a volume for each structure, in which `full` (1 or `FULL`) is
    certainly inside.
    """

    values: tuple[NDArray[Any], ...]
    geometry: Geometry
    is_labels: bool
    full: int = FULL


@dataclass(frozen=True)
class Reading:
    """How what a model returns is read; `labels` are the structures' labels or classes, in order."""

    returns: int
    exclusive: bool
    labels: tuple[int, ...]

    @property
    def gives_labels(self) -> bool:
        """Whether each voxel gets one label, rather than a share of each structure."""
        return self.exclusive or self.returns == ScanHandling.RETURNS_LABELS

    def read(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return (1, …) of uint8 or uint16 labels, or (structure, …) of uint8 shares, for scores (class, …).

        Raises:
            WrongOutput: there are too few classes, or values that are not what the model is said to return.
        """
        if self.returns == ScanHandling.RETURNS_LABELS:
            _check_single(scores)
            return _as_labels(scores)
        self._check_classes(scores)
        _check_numbers(scores)
        if self.exclusive:
            kind = np.uint8 if len(scores) <= FULL else np.uint16
            return np.asarray(scores.argmax(axis=0).astype(kind))[None]
        chosen = scores if self.labels == tuple(range(len(scores))) else scores[list(self.labels)]
        chosen = np.asarray(chosen, dtype=np.float32)
        if self.returns == ScanHandling.RETURNS_LOGITS:
            return _as_shares(_sigmoid(chosen))
        _check_shares(chosen)
        return _as_shares(chosen)

    def read_volume(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the same of a whole volume (class, slice, row, column), a few slices at a time."""
        parts = [self.read(scores[:, k : k + CHUNK_SLICES]) for k in range(0, scores.shape[1], CHUNK_SLICES)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _check_classes(self, scores: NDArray[Any]) -> None:
        needed = max(self.labels) + 1
        if len(scores) < needed:
            raise errors.WrongOutput(
                f"The model returned {len(scores)} classes; its manifest needs {needed}, counted from 0."
            )


def _check_single(scores: NDArray[Any]) -> None:
    if len(scores) != 1:
        raise errors.WrongOutput(
            f"The model returned {len(scores)} classes where its manifest promises one volume of labels; "
            'scores of classes are returns = "logits" or "probabilities".'
        )


def _check_numbers(scores: NDArray[Any]) -> None:
    # Where one value is NaN, the lowest is.
    if scores.dtype.kind == "f" and np.isnan(scores.min()):
        raise errors.WrongOutput("The model returned what is no number (NaN).")


def _as_labels(values: NDArray[Any]) -> NDArray[Any]:
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f" and not np.array_equal(np.rint(values), values):
        raise errors.WrongOutput("The model returned labels that are no whole numbers.")
    if not 0 <= low <= high <= LABEL_MAX:
        raise errors.WrongOutput(
            f"The model returned labels from {low:g} to {high:g}; they must lie between 0 and {LABEL_MAX}."
        )
    return values.astype(np.uint8 if high <= FULL else np.uint16)


def _check_shares(values: NDArray[np.float32]) -> None:
    low, high = float(values.min()), float(values.max())
    if not -0.01 <= low <= high <= 1.01:
        raise errors.WrongOutput(
            f"The model returned values from {low:g} to {high:g} where its manifest promises 0 to 1; "
            'values before a sigmoid or softmax are returns = "logits".'
        )


def _as_shares(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    # Halves go down, so that a share of exactly one half is not above it.
    return np.asarray(np.ceil(np.clip(values, 0, 1) * np.float32(FULL) - np.float32(0.5)), dtype=np.uint8)


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    # Beyond 60 a float32 is 0 or 1, and exp would overflow.
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), dtype=np.float32)
