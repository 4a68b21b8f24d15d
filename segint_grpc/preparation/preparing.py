"""A scan as its model wants it: turned, resampled, cropped, normalised and padded, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.backends.base import Channel
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import arrangement_for
from segint_grpc.preparation import grids, intensity
from segint_grpc.preparation.cleaning import bounding_box
from segint_grpc.preparation.resampling import Order, resample, scipy_ndimage

ORDERS = {
    ScanHandling.INTERPOLATION_UNSPECIFIED: Order.LINEAR,
    ScanHandling.INTERPOLATION_LINEAR: Order.LINEAR,
    ScanHandling.INTERPOLATION_NEAREST: Order.NEAREST,
    ScanHandling.INTERPOLATION_CUBIC: Order.CUBIC,
}
BODY_ABOVE = -500.0
BODY_MARGIN_MM = 10.0

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Prepared:
    """The volumes [k, j, i] in the model's order, on one grid, and what lies around each of them."""

    channel_ids: tuple[str, ...]
    images: tuple[NDArray[Any], ...]
    fills: tuple[float, ...]
    geometry: Geometry

    @property
    def channels(self) -> list[Channel]:
        """The volumes as a back end gets them."""
        return [
            Channel(channel_id, image, self.geometry)
            for channel_id, image in zip(self.channel_ids, self.images, strict=True)
        ]

    def cropped(self, box: Box) -> Prepared:
        """Return the part `box`, as views."""
        start = [part.start for part in box]
        shape = [part.stop - part.start for part in box]
        images = tuple(image[box] for image in self.images)
        return replace(self, images=images, geometry=grids.boxed(self.geometry, start, shape))

    def padded(self, min_size_kji: Sequence[int], multiple_of_kji: Sequence[int]) -> Prepared:
        """Return at least `min_size_kji` voxels, multiples of `multiple_of_kji`, with what is missing around.

        An odd voxel goes to the end. Where nothing is missing, the same volumes.
        """
        shape = self.geometry.shape_kji
        sizes = [
            -(-max(size, least) // max(1, multiple)) * max(1, multiple)
            for size, least, multiple in zip(shape, min_size_kji, multiple_of_kji, strict=True)
        ]
        before = [(wanted - size) // 2 for wanted, size in zip(sizes, shape, strict=True)]
        after = [wanted - size - first for wanted, size, first in zip(sizes, shape, before, strict=True)]
        if not any((*before, *after)):
            return self
        widths = list(zip(before, after, strict=True))
        images = tuple(
            np.pad(image, widths, constant_values=intensity.held(np.asarray(fill), image.dtype))
            for image, fill in zip(self.images, self.fills, strict=True)
        )
        geometry = grids.boxed(self.geometry, [-first for first in before], sizes)
        return replace(self, images=images, geometry=geometry)


def prepare(channels: Sequence[Channel], wanted: ScanHandling.Input) -> Prepared:
    """Return `channels` (the family's order) as `wanted` says, still without padding.

    A single channel of which nothing is wanted but its own type is handed on as it is, uncopied.
    """
    by_id = {channel.channel_id: channel for channel in channels}
    ordered = [by_id[channel_id] for channel_id in wanted.channels or by_id]
    order = ORDERS[wanted.interpolation]
    grid = target_grid(ordered[0].geometry, wanted)
    if wanted.HasField("crop"):
        grid = _cropped_to_body(ordered[0], grid, wanted)
    made = [_prepared(channel, grid, order, wanted) for channel in ordered]
    return Prepared(
        channel_ids=tuple(channel.channel_id for channel in ordered),
        images=tuple(image for image, _ in made),
        fills=tuple(fill for _, fill in made),
        geometry=grid,
    )


def target_grid(sent: Geometry, wanted: ScanHandling.Input) -> Geometry:
    """Return the grid that a volume of `sent` is brought to, before anything is cropped or padded."""
    grid = arrangement_for(sent, wanted.orientation).geometry(sent) if wanted.orientation else sent
    spacing = wanted.spacing_mm or (0.0, 0.0, 0.0)
    if wanted.straighten:
        return grids.straightened(grid, wanted.orientation, spacing)
    return grids.respaced(grid, spacing)


def _prepared(
    channel: Channel, grid: Geometry, order: Order, wanted: ScanHandling.Input
) -> tuple[NDArray[Any], float]:
    declared = intensity.intensity_of(wanted, channel.channel_id)
    image = intensity.scaled(channel.image_kji, declared)
    fill = intensity.fill_of(image, declared)
    image = resample(image, channel.geometry, grid, order, fill)
    image, fill = intensity.normalised(image, declared, fill)
    return intensity.held(image, intensity.DTYPES[wanted.dtype]), fill


def _cropped_to_body(channel: Channel, grid: Geometry, wanted: ScanHandling.Input) -> Geometry:
    """Return the part of `grid` around the largest piece above the bound; all of it, where nothing is."""
    declared = intensity.intensity_of(wanted, channel.channel_id)
    image = intensity.scaled(channel.image_kji, declared)
    image = resample(image, channel.geometry, grid, Order.NEAREST, intensity.fill_of(image, declared))
    crop = wanted.crop
    body = image > (crop.above if crop.HasField("above") else BODY_ABOVE)
    pieces, count = scipy_ndimage().label(body)
    if not count:
        return grid
    largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    found = bounding_box(pieces == largest)
    assert found is not None  # The piece has voxels.
    margin_mm = crop.margin_mm if crop.HasField("margin_mm") else BODY_MARGIN_MM
    box = grids.box_around(found, grid, grid, margin_mm)
    return grids.boxed(grid, [part.start for part in box], [part.stop - part.start for part in box])
