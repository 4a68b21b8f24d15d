"""Masks on the grid that was sent, structure by structure: a structure's floats are one slice of its own box.

A structure's share is interpolated linearly from the model's grid, and what is above its threshold is inside.
Structures that exclude each other are restored as one volume of labels: where any of them is above one half,
the one with the largest share has the voxel, so that neither gaps nor overlaps arise between neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from segint_grpc.preparation import grids
from segint_grpc.preparation.cleaning import Rules, bounding_box, cleaned
from segint_grpc.preparation.resampling import Order, planes, resample, scipy_ndimage, turn_between
from segint_grpc.preparation.scores import FULL, Found

Box = tuple[slice, slice, slice]


def restored(found: Found, rules: Sequence[Rules], targets: Sequence[Geometry]) -> Iterator[NDArray[Any]]:
    """Yield the mask_kji (bool) of each structure on its grid of `targets`, in their order."""
    if found.is_labels:
        yield from _from_labels(found, rules, targets)
        return
    for values, one, target in zip(found.values, rules, targets, strict=True):
        yield _from_shares(values, one, found, target)


def _from_shares(values: NDArray[Any], rules: Rules, found: Found, target: Geometry) -> NDArray[np.bool_]:
    level = rules.threshold * found.full
    inside = values > level
    kept = cleaned(inside, rules, found.geometry)
    if kept is not inside:
        values = np.where(kept, np.where(inside, values, found.full), 0).astype(values.dtype)
    return _restored_mask(values, found.geometry, target, level)


def _restored_mask(
    values: NDArray[Any], source: Geometry, target: Geometry, level: float
) -> NDArray[np.bool_]:
    """Return what is above `level` in `values` on the grid `target`."""
    turn = turn_between(source, target)
    if turn is not None and turn.moves_only:
        return np.asarray(resample(values, source, target, Order.NEAREST, 0) > level)
    mask = np.zeros(target.shape_kji, np.bool_)
    box = bounding_box(values > level)
    if box is not None:
        for k, part, plane in _planes(values, box, source, target):
            mask[k][part] = plane > level
    return mask


def _planes(
    values: NDArray[Any], box: Box, source: Geometry, target: Geometry
) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.float32]]]:
    """Yield, for what `box` of `values` reaches of `target`, each slice, its part and the values there."""
    around = grids.box_around(box, source, source)
    inner = grids.boxed(source, [part.start for part in around], [part.stop - part.start for part in around])
    reached = grids.box_around(box, source, target)
    if any(part.stop <= part.start for part in reached):
        return
    for k, plane in planes(values[around], inner, target, Order.LINEAR, 0, reached):
        yield k, reached[1:], plane


def _from_labels(
    found: Found, rules: Sequence[Rules], targets: Sequence[Geometry]
) -> Iterator[NDArray[np.bool_]]:
    labels = _cleaned_labels(found, rules)
    by_target: dict[Geometry, NDArray[Any]] = {}
    for number, target in enumerate(targets, 1):
        if target not in by_target:
            by_target[target] = _restored_labels(labels, len(rules), found.geometry, target)
        yield by_target[target] == number


def _cleaned_labels(found: Found, rules: Sequence[Rules]) -> NDArray[Any]:
    """Return a volume in which the n-th structure, from 1, is n, cleaned as `rules` say."""
    sent = found.values[0]
    kind = np.uint8 if len(rules) < FULL else np.uint16
    table = np.zeros(max(int(sent.max()), max(one.label for one in rules)) + 1, kind)
    for number, one in enumerate(rules, 1):
        table[one.label] = number
    labels: NDArray[Any] = table[sent]
    for number, one in enumerate(rules, 1):
        if not one.change_nothing:
            _clean(labels, number, one, found.geometry)
    return labels


def _clean(labels: NDArray[Any], number: int, rules: Rules, geometry: Geometry) -> None:
    """Clean one structure in place; a cavity that another structure has stays with that one."""
    box = bounding_box(labels == number)
    if box is None:
        return
    part = labels[box]
    before = part == number
    kept = cleaned(before, rules, geometry)
    part[before & ~kept] = 0
    part[kept & (part == 0)] = number


def _restored_labels(labels: NDArray[Any], count: int, source: Geometry, target: Geometry) -> NDArray[Any]:
    turn = turn_between(source, target)
    if turn is not None and turn.moves_only:
        return resample(labels, source, target, Order.NEAREST, 0)
    best = np.zeros(target.shape_kji, np.uint8)
    made = np.zeros(target.shape_kji, labels.dtype)
    for number, box in enumerate(scipy_ndimage().find_objects(labels, count), 1):
        if box is None:
            continue
        own = np.where(labels[box] == number, np.uint8(FULL), np.uint8(0))
        for k, part, plane in _planes_of_piece(own, box, source, target):
            larger = plane > best[k][part]
            best[k][part][larger] = plane[larger]
            made[k][part][larger] = number
    made[~_restored_mask((labels > 0).view(np.uint8), source, target, 0.5)] = 0
    return made


def _planes_of_piece(
    own: NDArray[np.uint8], box: Box, source: Geometry, target: Geometry
) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.uint8]]]:
    """Yield what `own`, the voxels of `box` alone, reaches of `target`, with nothing around it."""
    framed = np.pad(own, 1)
    geometry = grids.boxed(source, [part.start - 1 for part in box], framed.shape)
    z, y, x = (slice(1, size - 1) for size in framed.shape)
    for k, part, plane in _planes(framed, (z, y, x), geometry, target):
        yield k, part, np.asarray(np.rint(plane), dtype=np.uint8)
