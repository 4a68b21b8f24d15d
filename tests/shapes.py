"""A sphere, a tilted box and an L-shape given in millimetres, none of them like its mirror image."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from segint_grpc.service.gate.scans import tilted

Distance = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""(…, 3) positions, LPS in mm → distance from the surface in mm, below 0 inside."""

LEVEL = 500
"""The value at a shape's surface."""

PER_MM = 150
"""By how much values fall for each millimetre outwards, so that linear interpolation finds the surface."""

CENTRE_XYZ_MM = np.array([-31.0, 47.5, -612.0])


def sphere(xyz_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    away = np.linalg.norm(xyz_mm - CENTRE_XYZ_MM - (-12.0, 9.0, 14.0), axis=-1)
    return np.asarray(away - 10.5)


def tilted_box(xyz_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.array([[0.8, -0.6, 0.0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])
    local = (xyz_mm - CENTRE_XYZ_MM - (13.0, -8.0, -11.0)) @ turn.T
    return box_distance(local, np.array([9.0, 12.0, 6.5]))


def l_shape(xyz_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    local = xyz_mm - CENTRE_XYZ_MM
    upright = box_distance(local - (11.0, 13.0, 13.0), np.array([4.5, 5.0, 13.0]))
    foot = box_distance(local - (5.0, 13.0, 4.0), np.array([10.5, 5.0, 4.0]))
    return np.minimum(upright, foot)


SHAPES: dict[str, Distance] = {"sphere": sphere, "box": tilted_box, "ell": l_shape}


def box_distance(local_mm: NDArray[np.float64], half_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    beyond = np.abs(local_mm) - half_mm
    outside = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
    return np.asarray(outside + np.minimum(beyond.max(axis=-1), 0))


def anisotropic() -> Geometry:
    """A grid of unlike sizes and spacings around the shapes, its middle off theirs."""
    shape, spacing = (24, 33, 39), (1.9, 2.3, 3.1)
    middle = (np.array(shape[::-1]) - 1) / 2 * spacing
    x, y, z = CENTRE_XYZ_MM - middle + (1.3, -2.2, 1.9)
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    return Geometry(shape, spacing, *axes, (float(x), float(y), float(z)))


def oblique() -> Geometry:
    """The same grid, turned by 17 degrees about each axis; its middle stays."""
    straight = anisotropic()
    turned = tilted(straight, 17.0)
    middle = (np.array([straight.shape_kji]) - 1) / 2
    moved = straight.xyz_mm(middle)[0] - turned.xyz_mm(middle)[0]
    x, y, z = np.array(turned.origin_xyz_mm) + moved
    return Geometry(
        turned.shape_kji, turned.spacing_xyz_mm, turned.x_axis, turned.y_axis, turned.z_axis,
        (float(x), float(y), float(z)),
    )  # fmt: skip


@lru_cache(maxsize=400)
def distances(shape: Distance, geometry: Geometry) -> NDArray[np.float64]:
    """The distance of every voxel centre from a shape's surface, [k, j, i]; not to be changed."""
    indices = np.indices(geometry.shape_kji).reshape(3, -1).T
    return shape(geometry.xyz_mm(indices)).reshape(geometry.shape_kji)


def image(shape: Distance, geometry: Geometry) -> NDArray[np.int16]:
    """A scan of a shape: `LEVEL` at its surface, more inside, never below 0."""
    values = LEVEL - PER_MM * distances(shape, geometry)
    return np.clip(np.rint(values), 0, 1000).astype(np.int16)


def wrong_by_mm(mask_kji: NDArray[np.uint8], shape: Distance, geometry: Geometry) -> float:
    """How far from the surface the worst voxel lies that is on the wrong side of it; 0 where none is."""
    away = distances(shape, geometry)
    wrong = np.abs(away[(mask_kji > 0) != (away < 0)])
    return float(wrong.max(initial=0.0))


def shift_mm(mask_kji: NDArray[np.uint8], shape: Distance, geometry: Geometry) -> float:
    """How far a mask's centre of mass lies from that of the shape on the same grid."""
    expected = distances(shape, geometry) < 0
    centres = [geometry.xyz_mm(np.argwhere(inside)).mean(axis=0) for inside in (mask_kji > 0, expected)]
    return float(np.linalg.norm(centres[0] - centres[1]))
