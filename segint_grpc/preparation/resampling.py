"""Values from one grid to another, exact about voxel centres.

Source: `index_map` gives, in float64, where each target voxel's centre lies among the source's voxel centres.
Convention: that of ITK's ResampleImageFilter. A position counts as inside the source up to the outer faces
of its voxels, half a voxel beyond the outermost centres; between centre and face the outermost value holds;
beyond, `fill` does. Interpolation is linear, nearest (halves go up) or a cubic spline (scipy.ndimage).

Three ways, the cheapest that is exact: where voxels fall on voxels, they are moved (a view where the target
lies within the source); where axes stay parallel, each axis is interpolated by itself; else scipy does all
three at once. The last two give one plane at a time, so that a volume of floats is made only if asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.backends import missing_library
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import flip
from segint_grpc.preparation.grids import index_map

EXACT_VOXELS = 1e-3
"""Positions that differ by less than this share of a voxel over a whole grid are the same."""

Box = tuple[slice, slice, slice]


class Order(Enum):
    """How values between voxel centres are found; the values are the order of the spline."""

    NEAREST = 0
    LINEAR = 1
    CUBIC = 3


@dataclass(frozen=True)
class Turn:
    """Target axis n runs along the source axis `axes[n]`, at `scale[n]` × index + `offset[n]`."""

    axes: tuple[int, int, int]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    @property
    def moves_only(self) -> bool:
        """Whether each target voxel is a source voxel, or lies outside the source."""
        whole = all(abs(shift - round(shift)) < EXACT_VOXELS for shift in self.offset)
        return whole and all(abs(scale) == 1 for scale in self.scale)


def resample(
    image_kji: NDArray[Any], source: Geometry, target: Geometry, order: Order, fill: float
) -> NDArray[Any]:
    """Return `image_kji`, on the grid `source`, as it is on the grid `target`.

    Moved and nearest values keep their dtype, others are float32. What lies within the source and need not be
    interpolated is a view; the same grid gives the same array.
    """
    turn = turn_between(source, target)
    if turn is not None and turn.moves_only:
        return _moved(image_kji, turn, target.shape_kji, fill)
    whole = (slice(0, target.shape_kji[0]), slice(0, target.shape_kji[1]), slice(0, target.shape_kji[2]))
    dtype = image_kji.dtype if order is Order.NEAREST else np.dtype(np.float32)
    made = np.empty(target.shape_kji, dtype)
    for k, plane in planes(image_kji, source, target, order, fill, whole):
        made[k] = plane
    return made


def planes(
    image_kji: NDArray[Any], source: Geometry, target: Geometry, order: Order, fill: float, box: Box
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the slice k and its values [j, i] for each slice of the target's `box`, which alone is read."""
    turn = turn_between(source, target)
    if turn is None or order is Order.CUBIC:
        yield from _oblique(image_kji, index_map(source, target), order, fill, box)
    elif order is Order.NEAREST:
        yield from _nearest(image_kji, turn, fill, box)
    else:
        yield from _linear(image_kji, turn, fill, box)


def turn_between(source: Geometry, target: Geometry) -> Turn | None:
    """Return how the target's axes run along the source's, None where one of them runs askew."""
    matrix = index_map(source, target)
    lengths = np.array(target.shape_kji)
    axes = np.abs(matrix[:3, :3]).argmax(axis=0)
    askew = np.abs(matrix[:3, :3]) * lengths
    askew[axes, range(3)] = 0
    if sorted(axes) != [0, 1, 2] or askew.sum(axis=1).max() >= EXACT_VOXELS:
        return None
    scale = matrix[axes, range(3)]
    same = np.abs(np.abs(scale) - 1) * lengths < EXACT_VOXELS
    return Turn(_ints(axes), _floats(np.where(same, np.sign(scale), scale)), _floats(matrix[axes, 3]))


def _moved(image_kji: NDArray[Any], turn: Turn, shape_kji: tuple[int, int, int], fill: float) -> NDArray[Any]:
    turned = flip(image_kji.transpose(turn.axes), tuple(n for n in range(3) if turn.scale[n] < 0))
    inner, outer = [], []
    for n, size in enumerate(shape_kji):
        # In the turned source, the target's voxel 0 is the voxel `start`.
        start = round(turn.offset[n])
        start = turned.shape[n] - 1 - start if turn.scale[n] < 0 else start
        low, high = max(0, start), max(0, min(turned.shape[n], start + size))
        inner.append(slice(low, max(low, high)))
        outer.append(slice(low - start, max(low, high) - start))
    part = turned[tuple(inner)]
    if part.shape == shape_kji:
        return part
    made = np.full(shape_kji, _fitting(fill, image_kji.dtype), image_kji.dtype)
    if part.size:
        made[tuple(outer)] = part
    return made


def _fitting(fill: float, dtype: np.dtype[Any]) -> Any:
    """Return `fill` as `dtype` holds it, never wrapped."""
    if dtype.kind not in "iu":
        return fill
    bounds = np.iinfo(dtype)
    return int(min(max(round(fill), bounds.min), bounds.max))


def _positions(turn: Turn, n: int, size: int, part: slice) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return where the voxels `part` of target axis n lie among `size` source voxels, and which inside."""
    position = turn.scale[n] * np.arange(part.start, part.stop) + turn.offset[n]
    inside = (position >= -0.5 - EXACT_VOXELS) & (position <= size - 0.5 + EXACT_VOXELS)
    return np.clip(position, 0, size - 1), inside


def _nearest(
    image_kji: NDArray[Any], turn: Turn, fill: float, box: Box
) -> Iterator[tuple[int, NDArray[Any]]]:
    turned = image_kji.transpose(turn.axes)
    found = [_positions(turn, n, turned.shape[n], box[n]) for n in range(3)]
    k, j, i = (np.floor(position + 0.5).astype(np.intp) for position, _ in found)
    outside = ~(found[1][1][:, None] & found[2][1][None, :])
    for n, inside in enumerate(found[0][1]):
        plane = np.asarray(turned[k[n]])[np.ix_(j, i)]
        plane[outside if inside else ...] = _fitting(fill, image_kji.dtype)
        yield box[0].start + n, plane


def _linear(image_kji: NDArray[Any], turn: Turn, fill: float, box: Box) -> Iterator[tuple[int, NDArray[Any]]]:
    turned = image_kji.transpose(turn.axes)
    found = [_positions(turn, n, turned.shape[n], box[n]) for n in range(3)]
    rows, columns = (_Pair.of(found[n][0], turned.shape[n]) for n in (1, 2))
    outside = ~(found[1][1][:, None] & found[2][1][None, :])
    slices = _Pair.of(found[0][0], turned.shape[0])
    kept: dict[int, NDArray[np.float32]] = {}
    for n, inside in enumerate(found[0][1]):
        low, high, share = int(slices.low[n]), int(slices.high[n]), float(slices.share[n])
        wanted = {low, high} if share else {low}
        kept = {k: kept[k] if k in kept else _plane(turned[k], rows, columns) for k in wanted}
        plane = kept[low] * np.float32(1 - share) + kept[high] * np.float32(share) if share else kept[low]
        if not inside:
            plane = np.full_like(plane, fill)
        elif outside.any():
            plane = np.where(outside, np.float32(fill), plane)
        yield box[0].start + n, plane


@dataclass(frozen=True)
class _Pair:
    """The two voxels between which each position along an axis lies, and the upper one's share."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    share: NDArray[np.float32]

    @classmethod
    def of(cls, position: NDArray[np.float64], size: int) -> _Pair:
        low = np.floor(position + EXACT_VOXELS).astype(np.intp)
        share = np.maximum(position - low, 0).astype(np.float32)
        share[share < EXACT_VOXELS] = 0
        return cls(low, np.minimum(low + 1, size - 1), share)


def _plane(source_ji: NDArray[Any], rows: _Pair, columns: _Pair) -> NDArray[np.float32]:
    first = np.ascontiguousarray(source_ji, dtype=np.float32)
    high = rows.share[:, None]
    across = first[rows.low] * (1 - high) + first[rows.high] * high if high.any() else first[rows.low]
    right = columns.share
    if not right.any():
        return np.ascontiguousarray(across[:, columns.low])
    return across[:, columns.low] * (1 - right) + across[:, columns.high] * right


def _oblique(
    image_kji: NDArray[Any], matrix: NDArray[np.float64], order: Order, fill: float, box: Box
) -> Iterator[tuple[int, NDArray[Any]]]:
    ndimage = scipy_ndimage()
    image = np.asarray(image_kji)
    if image.dtype == np.bool_:
        image = image.view(np.uint8)
    if order is Order.CUBIC:
        image = ndimage.spline_filter(image, 3, output=np.float32, mode="mirror")
    starts = np.array([part.start for part in box])
    shape = tuple(part.stop - part.start for part in box[1:])
    j, i = (np.arange(part.start, part.stop, dtype=np.float64) for part in box[1:])
    dtype = image_kji.dtype if order is Order.NEAREST else np.float32
    for k in range(box[0].start, box[0].stop):
        offset = matrix[:3, :3] @ np.array([k, starts[1], starts[2]]) + matrix[:3, 3]
        plane = ndimage.affine_transform(
            image,
            matrix[:3, :3],
            offset,
            (1, *shape),
            order=order.value,
            mode="mirror" if order is Order.CUBIC else "nearest",
            prefilter=False,
            output=np.float32 if order is not Order.NEAREST else image.dtype,
        )[0].astype(dtype, copy=False)
        for axis, size in enumerate(image.shape):
            at = matrix[axis, 0] * k + matrix[axis, 3]
            position = at + (matrix[axis, 1] * j)[:, None] + (matrix[axis, 2] * i)[None, :]
            plane[(position < -0.5 - EXACT_VOXELS) | (position > size - 0.5 + EXACT_VOXELS)] = fill
        yield k, plane


def scipy_ndimage() -> Any:
    """Return scipy.ndimage; raises InvalidModel where scipy is missing."""
    try:
        return importlib.import_module("scipy.ndimage")
    except ImportError as error:
        raise missing_library("pytorch", "pytorch", f"a manifest's geometry needs scipy: {error}") from error


def _ints(values: NDArray[Any]) -> tuple[int, int, int]:
    return (int(values[0]), int(values[1]), int(values[2]))


def _floats(values: NDArray[Any]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
