"""A volume's values as the model knows them: scaled, cut, normalised, and held within the type it wants.

Everything is done in float32 or wider, so nothing wraps: a PET in Bq/ml leaves int16 behind, and a padding of
-3024 HU becomes what `clip` says before it can be mixed with the body.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling

Wanted = ScanHandling.Intensity
DTYPES: dict[int, np.dtype[Any]] = {
    ScanHandling.DATA_TYPE_UNSPECIFIED: np.dtype(np.float32),
    ScanHandling.DATA_TYPE_FLOAT32: np.dtype(np.float32),
    ScanHandling.DATA_TYPE_FLOAT16: np.dtype(np.float16),
    ScanHandling.DATA_TYPE_INT32: np.dtype(np.int32),
    ScanHandling.DATA_TYPE_INT16: np.dtype(np.int16),
    ScanHandling.DATA_TYPE_UINT8: np.dtype(np.uint8),
}
PERCENTILES = (0.5, 99.5)
RANGE = (0.0, 1.0)
SAMPLES_MAX = 4_000_000
"""Where there are more voxels, percentiles are those of every n-th: that changes them by less than noise."""


def intensity_of(wanted: ScanHandling.Input, channel_id: str) -> Wanted:
    """Return what is declared for a channel: by its name, else for all, else nothing."""
    by_name = {intensity.channel: intensity for intensity in wanted.intensity}
    return by_name.get(channel_id, by_name.get("", Wanted()))


def scaled(image_kji: NDArray[Any], wanted: Wanted) -> NDArray[Any]:
    """Return `image_kji` scaled and clipped; the same array where neither is declared."""
    if wanted.HasField("scale") or wanted.HasField("offset"):
        factor = wanted.scale if wanted.HasField("scale") else 1.0
        image_kji = np.asarray(image_kji) * np.float32(factor) + np.float32(wanted.offset)
    if not wanted.clip:
        return image_kji
    low, high = wanted.clip
    if image_kji.dtype.kind in "iu":
        bounds = np.iinfo(image_kji.dtype)
        if low <= bounds.min and high >= bounds.max:
            return image_kji
        whole = low == int(low) and high == int(high)
        if whole:
            low, high = max(low, bounds.min), min(high, bounds.max)
            return _cut(image_kji, int(low), int(high))
        image_kji = image_kji.astype(np.float32)
    return _cut(image_kji, low, high)


def fill_of(image_kji: NDArray[Any], wanted: Wanted) -> float:
    """Return what lies outside of a scaled volume."""
    if wanted.HasField("fill"):
        return wanted.fill
    if wanted.clip:
        return wanted.clip[0]
    if wanted.window:
        return window_bounds(wanted)[0]
    return float(image_kji.min())


def normalised(image_kji: NDArray[Any], wanted: Wanted, fill: float) -> tuple[NDArray[Any], float]:
    """Return a resampled volume windowed and normalised, and what `fill` becomes by the same sums."""
    image_kji, fill = _windowed(image_kji, wanted, fill)
    if wanted.normalise in (ScanHandling.NORMALISE_UNSPECIFIED, ScanHandling.NORMALISE_NONE):
        return image_kji, fill
    bounds = _percentile_bounds(image_kji, wanted)
    if bounds is not None:
        image_kji = _cut(image_kji, *bounds)
        fill = min(max(fill, bounds[0]), bounds[1])
    subtract, divide, add = _sums(image_kji, wanted, bounds)
    made = image_kji.astype(np.float32)
    made -= np.float32(subtract)
    made /= np.float32(divide)
    made += np.float32(add)
    return made, (fill - subtract) / divide + add


def held(image_kji: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `image_kji` as `dtype`: integers rounded, and nothing wrapped or infinite."""
    if image_kji.dtype == dtype:
        return image_kji
    if dtype.kind == "f":
        limit = float(np.finfo(dtype).max)
        return (_cut(image_kji, -limit, limit) if dtype.itemsize < 4 else image_kji).astype(dtype)
    bounds = np.iinfo(dtype)
    rounded = np.rint(image_kji) if image_kji.dtype.kind == "f" else image_kji
    # In float64, since the bounds of int32 are no float32.
    wide = np.float64 if image_kji.dtype.kind == "f" else np.int64
    return np.clip(rounded.astype(wide), bounds.min, bounds.max).astype(dtype)


def _cut(image_kji: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Return `image_kji` between two bounds, which are numbers of its own type."""
    return np.asarray(np.clip(image_kji, image_kji.dtype.type(low), image_kji.dtype.type(high)))


def window_bounds(wanted: Wanted) -> tuple[float, float]:
    """Return the lowest and highest value of a window of centre and width."""
    centre, width = wanted.window
    return centre - width / 2, centre + width / 2


def _windowed(image_kji: NDArray[Any], wanted: Wanted, fill: float) -> tuple[NDArray[Any], float]:
    if not wanted.window:
        return image_kji, fill
    low, high = window_bounds(wanted)
    return _cut(image_kji.astype(np.float32, copy=False), low, high), min(max(fill, low), high)


def _percentile_bounds(image_kji: NDArray[Any], wanted: Wanted) -> tuple[float, float] | None:
    if wanted.normalise != ScanHandling.NORMALISE_PERCENTILE:
        return None
    looked_at = _looked_at(image_kji, wanted)
    step = max(1, looked_at.size // SAMPLES_MAX)
    low, high = np.percentile(looked_at[::step], wanted.percentiles or PERCENTILES)
    return float(low), float(high)


def _sums(
    image_kji: NDArray[Any], wanted: Wanted, bounds: tuple[float, float] | None
) -> tuple[float, float, float]:
    """Return what is subtracted from the values, what divides the rest, and what is added then."""
    if wanted.normalise == ScanHandling.NORMALISE_FIXED:
        return wanted.mean, wanted.deviation, 0.0
    if wanted.normalise == ScanHandling.NORMALISE_Z_SCORE:
        looked_at = _looked_at(image_kji, wanted)
        mean, deviation = float(looked_at.mean(dtype=np.float64)), float(looked_at.std(dtype=np.float64))
        return mean, deviation or 1.0, 0.0
    low, high = bounds or _declared_bounds(wanted) or _extremes(image_kji, wanted)
    first, last = wanted.range or RANGE
    return low, (high - low) / (last - first) or 1.0, first


def _declared_bounds(wanted: Wanted) -> tuple[float, float] | None:
    if wanted.window:
        return window_bounds(wanted)
    return (wanted.clip[0], wanted.clip[1]) if wanted.clip else None


def _extremes(image_kji: NDArray[Any], wanted: Wanted) -> tuple[float, float]:
    looked_at = _looked_at(image_kji, wanted)
    return float(looked_at.min()), float(looked_at.max())


def _looked_at(image_kji: NDArray[Any], wanted: Wanted) -> NDArray[Any]:
    """Return the values that statistics are made of: all, where no voxel is above the mask's bound."""
    if not wanted.HasField("mask_above"):
        return image_kji.reshape(-1)
    masked: NDArray[Any] = image_kji[image_kji > wanted.mask_above]
    return masked if masked.size else image_kji.reshape(-1)
