"""A sliding window over a volume. Positions and weights are those of MONAI's `sliding_window_inference`.

Windows go slice-wise from the first on, so that of the scores of all classes only as many slices are kept
as a window has: what no later window covers is read and let go. With BLENDING_NEAREST, and for labels, which
cannot be averaged, each window is read at once and the one whose middle is nearest wins: then no scores are
kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain.hurry import overlap
from segint_grpc.preparation.network import Network
from segint_grpc.preparation.scores import Reading

SIGMA_SHARE = 0.125
"""Of a window's length: MONAI's and nnU-Net's standard deviation of the Gaussian weights."""

WEIGHT_MIN = 1e-3

Start = tuple[int, int, int]
Tell = Callable[[float], None]


def starts(size: int, window: int, overlap: float) -> list[int]:
    """Return where windows begin along an axis; the last one ends with the axis."""
    step = window if size <= window else max(1, int(window * (1 - overlap)))
    count = math.ceil((size - window) / step) + 1
    return [min(step * n, size - window) for n in range(count)]


def weights(window_kji: Sequence[int], blending: int) -> NDArray[np.float32]:
    """Return the weight of each voxel of a window."""
    if blending == ScanHandling.BLENDING_CONSTANT:
        return np.ones(tuple(window_kji), np.float32)
    z, y, x = (_bell(size) for size in window_kji)
    made = z[:, None, None] * y[None, :, None] * x[None, None, :]
    least = 0.0 if blending == ScanHandling.BLENDING_NEAREST else WEIGHT_MIN
    return np.asarray(np.maximum(made, least), dtype=np.float32)


def _bell(size: int) -> NDArray[np.float64]:
    away = np.arange(size) - (size - 1) / 2
    return np.asarray(np.exp(-(away**2) / (2 * (SIGMA_SHARE * size) ** 2)))


def infer(
    volume: NDArray[np.float32],
    network: Network,
    wanted: ScanHandling.Inference,
    reading: Reading,
    tell: Tell,
) -> NDArray[Any]:
    """Return what `reading` makes of a volume (channel, slice, row, column) no smaller than a window."""
    window = (wanted.window[2], wanted.window[1], wanted.window[0])
    share = overlap(wanted)
    places = [starts(size, length, share) for size, length in zip(volume.shape[1:], window, strict=True)]
    total = math.prod(map(len, places))
    blend = _blend(volume.shape[1:], window, wanted.blending, reading)
    done = 0
    for k in places[0]:
        blend.advance(k)
        for batch in _batches([(k, j, i) for j in places[1] for i in places[2]], wanted.tile_batch or 1):
            made = network(np.stack([volume[(slice(None), *_window(at, window))] for at in batch]))
            for at, scores in zip(batch, made, strict=True):
                blend.add(at, scores)
            done += len(batch)
            tell(done / total)
    return blend.values()


def _blend(
    shape: Sequence[int], window: Sequence[int], blending: int, reading: Reading
) -> _Average | _Nearest:
    labels = reading.returns == ScanHandling.RETURNS_LABELS
    if labels or blending == ScanHandling.BLENDING_NEAREST:
        return _Nearest(shape, window, reading)
    return _Average(shape, window, reading, blending)


def _window(at: Start, window: Sequence[int]) -> tuple[slice, slice, slice]:
    k, j, i = (slice(first, first + length) for first, length in zip(at, window, strict=True))
    return (k, j, i)


def _batches(places: list[Start], length: int) -> Iterator[list[Start]]:
    for first in range(0, len(places), length):
        yield places[first : first + length]


class _Average:
    """The weighted mean of what windows say of a voxel."""

    def __init__(self, shape: Sequence[int], window: Sequence[int], reading: Reading, blending: int) -> None:
        self._shape, self._window, self._reading = tuple(shape), tuple(window), reading
        self._weights = weights(window, blending)
        self._first = 0
        self._sums: NDArray[np.float32] | None = None
        self._total = np.zeros((window[0], *shape[1:]), np.float32)
        self._parts: list[NDArray[Any]] = []

    def advance(self, k: int) -> None:
        """Read the slices before `k`, which no further window covers."""
        count = k - self._first
        if count and self._sums is not None:
            self._read(count)
            for kept in (*self._sums, self._total):
                _shift(kept, count)
        self._first = k

    def add(self, at: Start, scores: NDArray[Any]) -> None:
        if self._sums is None:
            self._sums = np.zeros((len(scores), *self._total.shape), np.float32)
        place = (slice(None), *_window(at, self._window)[1:])
        self._total[place] += self._weights
        for one, score in zip(self._sums, scores, strict=True):
            one[place] += score * self._weights

    def values(self) -> NDArray[Any]:
        self._read(self._shape[0] - self._first)
        return np.concatenate(self._parts, axis=1)

    def _read(self, count: int) -> None:
        assert self._sums is not None  # There is a window in every slice.
        for k in range(count):
            mean = self._sums[:, k : k + 1] / self._total[k : k + 1]
            self._parts.append(self._reading.read(mean))


def _shift(kept: NDArray[np.float32], count: int) -> None:
    """Move slices down by `count`, one at a time, so that no copy of them all is made."""
    rest = max(0, len(kept) - count)
    for k in range(rest):
        kept[k] = kept[k + count]
    kept[rest:] = 0


class _Nearest:
    """What the window says whose middle is nearest to a voxel."""

    def __init__(self, shape: Sequence[int], window: Sequence[int], reading: Reading) -> None:
        self._shape, self._window, self._reading = tuple(shape), tuple(window), reading
        self._weights = weights(window, ScanHandling.BLENDING_NEAREST)
        self._best = np.zeros(self._shape, np.float32)
        self._values: NDArray[Any] | None = None

    def advance(self, k: int) -> None:
        """Nothing is kept that could be let go."""

    def add(self, at: Start, scores: NDArray[Any]) -> None:
        read = self._reading.read(scores)
        if self._values is None:
            self._values = np.zeros((len(read), *self._shape), read.dtype)
        if read.dtype.itemsize > self._values.dtype.itemsize:
            self._values = self._values.astype(read.dtype)
        place = _window(at, self._window)
        nearer = self._weights > self._best[place]
        self._best[place][nearer] = self._weights[nearer]
        for one, value in zip(self._values, read, strict=True):
            one[place][nearer] = value[nearer]

    def values(self) -> NDArray[Any]:
        assert self._values is not None  # There is a window at least.
        return self._values
