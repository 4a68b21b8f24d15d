"""Where the voxels of a prepared scan lie: grids made of grids, without touching a voxel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry, geometry_from
from segint_grpc.domain.orientation import DIRECTIONS_XYZ

Shape = tuple[int, int, int]

SLACK_VOXELS = 1e-3
"""How much of a voxel may be lost at the ends of a grid rather than add another voxel for it."""


def respaced(geometry: Geometry, spacing_xyz_mm: Sequence[float]) -> Geometry:
    """Return a grid of exactly `spacing_xyz_mm` (0: as it is) that covers `geometry` and has its centre.

    Both grids' extents are counted to the voxels' outer faces; the centres of all new voxels lie inside.
    """
    old = np.array(geometry.spacing_xyz_mm)
    new = np.where(np.array(spacing_xyz_mm) > 0, spacing_xyz_mm, old)
    new = np.where(np.isclose(new, old, rtol=1e-6, atol=0), old, new)
    sizes = np.array(geometry.shape_kji[::-1])
    counts = np.maximum(1, np.ceil(sizes * old / new - SLACK_VOXELS)).astype(int)
    first = (sizes - 1) / 2 - (counts - 1) / 2 * new / old
    return replace(
        geometry,
        shape_kji=_shape(counts[::-1]),
        spacing_xyz_mm=_triple(new),
        origin_xyz_mm=_triple(geometry.xyz_mm(first[None, ::-1])[0]),
    )


def straightened(geometry: Geometry, letters: str, spacing_xyz_mm: Sequence[float]) -> Geometry:
    """Return a grid along the patient's axes that covers `geometry`, which is turned to `letters` already.

    A spacing of 0 is that of the axis of `geometry` which the new one takes the place of.
    """
    old = np.array(geometry.spacing_xyz_mm)
    new = np.where(np.array(spacing_xyz_mm) > 0, spacing_xyz_mm, old)
    axes = np.array([DIRECTIONS_XYZ[letter] for letter in letters])
    ends = [(-0.5, size - 0.5) for size in geometry.shape_kji]
    corners = geometry.xyz_mm(np.array(list(itertools.product(*ends)))) @ axes.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.maximum(1, np.ceil((high - low) / new - SLACK_VOXELS)).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes.T * new
    affine[:3, 3] = axes.T @ ((low + high) / 2 - (counts - 1) / 2 * new)
    return geometry_from(affine, _shape(counts[::-1]))


def boxed(geometry: Geometry, start_kji: Sequence[int], shape_kji: Sequence[int]) -> Geometry:
    """Return the part of `geometry` from the voxel `start_kji` on; both may reach beyond it."""
    origin = geometry.xyz_mm(np.array([start_kji], dtype=np.float64))[0]
    return replace(geometry, shape_kji=_shape(shape_kji), origin_xyz_mm=_triple(origin))


def index_map(source: Geometry, target: Geometry) -> NDArray[np.float64]:
    """Return the 4×4 matrix from the indices (k, j, i, 1) of `target` to those of `source`."""
    ijk = np.linalg.solve(source.affine, target.affine)
    turn = [2, 1, 0, 3]
    return np.asarray(ijk[np.ix_(turn, turn)])


def box_around(
    box_kji: tuple[slice, ...], of: Geometry, on: Geometry, margin_mm: float = 0.0
) -> tuple[slice, slice, slice]:
    """Return the smallest box of `on` that holds the voxels `box_kji` of the grid `of`, and a margin around.

    Voxels count with their outer faces and one voxel more of either grid, so that nothing which is
    interpolated between them is lost. It ends at the edges of `on`, and may be empty.
    """
    ends = [(part.start - 1.5, part.stop + 0.5) for part in box_kji]
    corners = np.array([(*corner, 1.0) for corner in itertools.product(*ends)])
    found = corners @ index_map(on, of).T
    margin = margin_mm / np.array(on.spacing_xyz_mm[::-1])
    low = np.floor(found[:, :3].min(axis=0) - margin).astype(int)
    high = np.ceil(found[:, :3].max(axis=0) + margin).astype(int) + 1
    k, j, i = (
        slice(min(max(0, first), size), max(min(last, size), 0))
        for first, last, size in zip(low, high, on.shape_kji, strict=True)
    )
    return (k, j, i)


def _shape(values: Sequence[int] | NDArray[np.int64]) -> Shape:
    return (int(values[0]), int(values[1]), int(values[2]))


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))
