"""A two-dimensional model slice by slice: in the axial plane, or in several whose scores are averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.preparation.network import Network
from segint_grpc.preparation.scores import Reading

ALONG: dict[int, str] = {
    ScanHandling.PLANE_AXIAL: "SI",
    ScanHandling.PLANE_CORONAL: "PA",
    ScanHandling.PLANE_SAGITTAL: "LR",
}
"""The letters of the axis along which a plane's slices are stacked."""


def infer(
    volume: NDArray[np.float32],
    network: Network,
    handling: ScanHandling,
    reading: Reading,
    tell: Callable[[float], None],
) -> NDArray[Any]:
    """Return what `reading` makes of a volume (channel, slice, row, column).

    A slice has the rows and columns that remain of the array when the axis of its plane is left out.
    """
    planes = handling.inference.planes or [ScanHandling.PLANE_AXIAL]
    axes = [stacking_axis(plane, handling.input.orientation) for plane in planes]
    total = sum(volume.shape[1 + axis] for axis in axes)
    batch = handling.inference.tile_batch or 1
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done += count
        tell(done / total)

    if len(axes) == 1:
        return _read_slices(volume, network, axes[0], batch, reading, told)
    return reading.read_volume(_mean(volume, network, axes, batch, told))


def stacking_axis(plane: int, orientation: str) -> int:
    """Return the array axis (0 slice, 1 row, 2 column) along which the slices of `plane` are stacked."""
    return 2 - next(n for n, letter in enumerate(orientation) if letter in ALONG[plane])


def _read_slices(
    volume: NDArray[np.float32],
    network: Network,
    axis: int,
    batch: int,
    reading: Reading,
    told: Callable[[int], None],
) -> NDArray[Any]:
    parts: list[NDArray[Any]] = []
    for _, made in _batches(volume, network, axis, batch):
        parts.extend(reading.read(scores) for scores in made)
        told(len(made))
    return np.stack(parts, axis=1 + axis)


def _mean(
    volume: NDArray[np.float32],
    network: Network,
    axes: Sequence[int],
    batch: int,
    told: Callable[[int], None],
) -> NDArray[np.float32]:
    sums: NDArray[np.float32] | None = None
    for axis in axes:
        for first, made in _batches(volume, network, axis, batch):
            if sums is None:
                sums = np.zeros((made.shape[1], *volume.shape[1:]), np.float32)
            np.moveaxis(sums, 1 + axis, 0)[first : first + len(made)] += made / np.float32(len(axes))
            told(len(made))
    assert sums is not None  # A volume has slices.
    return sums


def _batches(
    volume: NDArray[np.float32], network: Network, axis: int, batch: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the number of a batch's first slice along `axis`, and what `network` makes of the batch."""
    stacked = np.moveaxis(volume, 1 + axis, 0)
    for first in range(0, len(stacked), batch):
        yield first, network(stacked[first : first + batch])
