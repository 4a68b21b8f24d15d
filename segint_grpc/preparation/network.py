"""The model as a function of tiles: axes in the order it knows, flipped and averaged, its answer checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import TileBackEnd, Tiles

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(tile, channel, …) → (tile, class, …) with the same spatial shape."""


def network_of(backend: TileBackEnd, wanted: ScanHandling.Inference, *, coarse: bool = False) -> Network:
    """Return the model of `backend` as `wanted` has it called."""

    def call(values: NDArray[np.float32]) -> NDArray[Any]:
        given = _turned(values) if wanted.axes == "ijk" else values
        made = _checked(backend.infer(Tiles(given, coarse, wanted.mixed_precision)), given)
        return _turned(made) if wanted.axes == "ijk" else made

    def averaged(values: NDArray[np.float32]) -> NDArray[Any]:
        total = call(values).astype(np.float32)
        for flip in wanted.flips:
            axes = tuple(values.ndim - 1 - "xyz".index(letter) for letter in flip)
            total += np.flip(call(np.ascontiguousarray(np.flip(values, axes))), axes)
        return total / np.float32(1 + len(wanted.flips))

    return averaged if wanted.flips else call


def _turned(values: NDArray[Any]) -> NDArray[Any]:
    return values.transpose(0, 1, *range(values.ndim - 1, 1, -1))


def _checked(made: NDArray[Any], given: NDArray[np.float32]) -> NDArray[Any]:
    if made.ndim == given.ndim - 1:
        made = made[:, None]
    if made.ndim != given.ndim or made.shape[0] != given.shape[0] or made.shape[2:] != given.shape[2:]:
        raise errors.WrongOutput(
            f"The model returned an array of shape {made.shape} for a batch of shape {given.shape}; "
            f"expected was ({given.shape[0]}, classes, {', '.join(map(str, given.shape[2:]))})."
        )
    return made
