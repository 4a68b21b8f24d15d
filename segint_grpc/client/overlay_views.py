"""Cuts three planes out of a scan for a picture, each with the letters of the sides it shows.

Directions on the picture are those of radiology: the patient's right is on the left of the axial and
coronal views, the face looks left in the sagittal one, the head is up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.client.masks import Mask
from segint_grpc.client.scan import Scan, nearest_order

CT_AIR_BELOW = -300
"""A scan with values below this is taken for a CT in HU."""
SOFT_TISSUE_HU = (-160.0, 240.0)
BODY_ABOVE_HU = -400.0
MARGIN_MM = 12.0


@dataclass(frozen=True)
class View:
    """One plane of a scan, as it is drawn: rows downwards, columns to the right.

    Attributes:
        title: "Axial", "Coronal" or "Sagittal".
        gray: (rows, columns) uint8, windowed.
        masks: one (rows, columns) bool array for each mask.
        pixel_mm: height and width of a pixel.
        letters: the patient's side (L, R, A, P, H, F) at the left, right, top and bottom edge.
    """

    title: str
    gray: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...]
    pixel_mm: tuple[float, float]
    letters: tuple[str, str, str, str]


@dataclass(frozen=True)
class _Look:
    """The values that are drawn black and white, and above which a voxel belongs to the body."""

    black: float
    white: float
    body_above: float


@dataclass(frozen=True)
class _Plan:
    """How a view is cut from arrays indexed [z up, y back, x left]."""

    title: str
    axis: int
    head_up: bool
    letters: tuple[str, str, str, str]


PLANS = (
    _Plan("Axial", 0, False, ("R", "L", "A", "P")),
    _Plan("Coronal", 1, True, ("R", "L", "H", "F")),
    _Plan("Sagittal", 2, True, ("A", "P", "H", "F")),
)


def cut_views(scan: Scan, masks: Sequence[Mask]) -> list[View]:
    """Return the axial, coronal and sagittal plane through the middle of the masks, cropped to the body."""
    order = nearest_order(scan.geometry.affine)
    image = order.to_scan(scan.image_kji.transpose(2, 1, 0))
    insides = [order.to_scan(mask.mask_kji.transpose(2, 1, 0)).astype(np.bool_, copy=False) for mask in masks]
    spacing_xyz = [0.0, 0.0, 0.0]
    for n, axis in enumerate(order.axes):
        spacing_xyz[axis] = scan.geometry.spacing_xyz_mm[n]
    spacing_zyx = (spacing_xyz[2], spacing_xyz[1], spacing_xyz[0])
    look = _look(scan.image_kji)
    middle = _middle(insides, image.shape)
    return [_cut(plan, image, insides, spacing_zyx, middle[plan.axis], look) for plan in PLANS]


def _cut(
    plan: _Plan,
    image: NDArray[np.generic],
    insides: Sequence[NDArray[np.bool_]],
    spacing_zyx_mm: tuple[float, float, float],
    at: int,
    look: _Look,
) -> View:
    def plane(array: NDArray[Any]) -> NDArray[Any]:
        cut: NDArray[Any] = np.take(array, at, axis=plan.axis)
        return cut[::-1] if plan.head_up else cut

    values = plane(image).astype(np.float64)
    gray = (np.clip((values - look.black) / (look.white - look.black), 0, 1) * 255).astype(np.uint8)
    row_mm, column_mm = (mm for axis, mm in enumerate(spacing_zyx_mm) if axis != plan.axis)
    shown = [plane(inside).astype(np.bool_) for inside in insides]
    rows, columns = _body(values > look.body_above, shown, (row_mm, column_mm))
    return View(
        title=plan.title,
        gray=gray[rows, columns],
        masks=tuple(mask[rows, columns] for mask in shown),
        pixel_mm=(row_mm, column_mm),
        letters=plan.letters,
    )


def _look(image_kji: NDArray[np.int16]) -> _Look:
    if image_kji.min() < CT_AIR_BELOW:
        return _Look(*SOFT_TISSUE_HU, BODY_ABOVE_HU)
    low, high = (float(value) for value in np.percentile(image_kji, (1, 99.5)))
    return _Look(low, max(high, low + 1), low + 0.05 * (high - low))


def _middle(insides: Sequence[NDArray[np.bool_]], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the plane of each axis nearest to the masks' centre of mass that a mask crosses."""
    middle = []
    for axis, length in enumerate(shape):
        others = tuple(n for n in range(3) if n != axis)
        areas = np.sum(
            [np.count_nonzero(inside, axis=others) for inside in insides] or [np.zeros(length)], axis=0
        )
        crossed = np.flatnonzero(areas)
        centre = float(np.average(np.arange(length), weights=areas)) if crossed.size else (length - 1) / 2
        candidates = crossed if crossed.size else np.arange(length)
        middle.append(int(candidates[np.abs(candidates - centre).argmin()]))
    return tuple(middle)


def _body(
    body: NDArray[np.bool_], shown: Sequence[NDArray[np.bool_]], pixel_mm: tuple[float, float]
) -> tuple[slice, slice]:
    """Return the rows and columns that hold the patient and every mask, with a margin."""
    worth = np.logical_or.reduce([_busy(body), *shown])
    if not worth.any():
        return slice(None), slice(None)
    ranges = []
    for axis in (0, 1):
        used = np.flatnonzero(worth.any(axis=1 - axis))
        margin = round(MARGIN_MM / pixel_mm[axis])
        ranges.append(slice(max(0, int(used[0]) - margin), int(used[-1]) + 1 + margin))
    return ranges[0], ranges[1]


def _busy(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `body` without the rows and columns where it is a thin line only, as the couch is."""
    rows = np.count_nonzero(body, axis=1) > 0.12 * body.shape[1]
    columns = np.count_nonzero(body, axis=0) > 0.12 * body.shape[0]
    kept: NDArray[np.bool_] = body & rows[:, None] & columns[None, :]
    return kept
