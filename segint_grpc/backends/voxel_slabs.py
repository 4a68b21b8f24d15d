"""Computes voxels' features slab by slab, so that memory stays bounded whatever a scan's size. Needs SciPy.

A slab is a run of slices. Filters see as many slices more on either side as they reach (the halo), so that a
voxel's features are the same numbers however the scan is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segint_grpc.backends.base import Channel
from segint_grpc.backends.layout import check_one_grid
from segint_grpc.backends.voxel_features import GRADIENT, INTENSITY, POSITIONS, Feature
from segint_grpc.domain.geometry import Geometry

VALUES_MAX = 8_000_000
"""How many numbers the features of a slab may be together (4 bytes each), halo left out."""

TRUNCATE = 4.0
"""How far a Gaussian reaches, in sigmas; SciPy's own default."""

Judge = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(voxels, features) → the label of each voxel, integers."""


def label_volume(
    channels: Sequence[Channel],
    features: Sequence[Feature],
    judge: Judge,
    progress: Callable[[float], None],
    values_max: int = VALUES_MAX,
) -> NDArray[np.int16]:
    """Return the label of every voxel, [k, j, i], on the grid that all `channels` share."""
    check_one_grid(channels)
    depth, height, width = shape_kji = channels[0].geometry.shape_kji
    labels = np.empty(shape_kji, np.int16)
    for first, last in slabs(depth, height * width * len(features), values_max):
        table = feature_table(channels, features, first, last)
        labels[first:last] = judge(table).reshape(last - first, height, width)
        progress(last / depth)
    return labels


def slabs(depth: int, values: int, values_max: int) -> Iterator[tuple[int, int]]:
    """Yield first and last slice + 1 of slabs of at most `values_max` numbers, each at least one slice."""
    step = max(1, values_max // values)
    for first in range(0, depth, step):
        yield first, min(first + step, depth)


def feature_table(
    channels: Sequence[Channel], features: Sequence[Feature], first: int = 0, last: int | None = None
) -> NDArray[np.float32]:
    """Return the features of the slices from `first` to before `last` (all by default), (voxels, features).

    Voxels come in the order of [k, j, i]. Training code calls this to see what the server will see.
    """
    by_id = {channel.channel_id: channel for channel in channels}
    geometry = channels[0].geometry
    last = geometry.shape_kji[0] if last is None else last
    count = (last - first) * geometry.shape_kji[1] * geometry.shape_kji[2]
    table = np.empty((count, len(features)), np.float32)
    for column, feature in enumerate(features):
        channel = by_id[feature.channel_id] if feature.channel_id else channels[0]
        table[:, column] = _values(channel, feature, first, last).reshape(-1)
    return table


def _values(channel: Channel, feature: Feature, first: int, last: int) -> NDArray[np.float32]:
    if feature.kind == INTENSITY:
        return channel.image_kji[first:last].astype(np.float32)
    if feature.kind in POSITIONS:
        return _positions(channel.geometry, POSITIONS.index(feature.kind), first, last)
    sigmas = [feature.sigma_mm / spacing for spacing in channel.geometry.spacing_xyz_mm[::-1]]
    halo = int(TRUNCATE * sigmas[0] + 0.5)
    start = max(0, first - halo)
    image = channel.image_kji[start : last + halo].astype(np.float32)
    if feature.kind == GRADIENT:
        made = _gradient(image, sigmas, channel.geometry)
    else:
        made = _filtered(image, sigmas, (0, 0, 0))
    return made[first - start : last - start]


def _gradient(image: NDArray[np.float32], sigmas: Sequence[float], geometry: Geometry) -> NDArray[np.float32]:
    """Return the length of the gradient, per mm."""
    total = np.zeros(image.shape, np.float32)
    for axis, spacing_mm in enumerate(geometry.spacing_xyz_mm[::-1]):
        order = (int(axis == 0), int(axis == 1), int(axis == 2))
        total += (_filtered(image, sigmas, order) / np.float32(spacing_mm)) ** 2
    return np.sqrt(total)


def _filtered(
    image: NDArray[np.float32], sigmas: Sequence[float], order: tuple[int, int, int]
) -> NDArray[np.float32]:
    made: NDArray[np.float32] = ndimage.gaussian_filter(
        image, sigmas, order=order, mode="nearest", truncate=TRUNCATE
    )
    return made


def _positions(geometry: Geometry, axis: int, first: int, last: int) -> NDArray[np.float32]:
    """Return x (0), y (1) or z (2) of the voxel centres, LPS in mm."""
    affine = geometry.affine
    _, height, width = geometry.shape_kji
    k, j, i = np.ogrid[first:last, 0:height, 0:width]
    made = affine[axis, 0] * i + affine[axis, 1] * j + affine[axis, 2] * k + affine[axis, 3]
    return np.broadcast_to(made, (last - first, height, width)).astype(np.float32)
