"""Synthetic bodies in millimetres for a network to learn: a dark and a bright organ in each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry

SPACING_MM = 4.5
SHAPE_KJI = (24, 32, 32)
"""The grid that the network is trained on."""

ORGANS = ("dark", "bright")
TISSUE_HU = 40.0
ORGAN_HU = (-80.0, 180.0)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Body:
    """Ellipsoids: centre and half axes (x, y, z) in mm, LPS, the body's middle at the origin."""

    outline: tuple[Triple, Triple]
    organs: tuple[tuple[Triple, Triple], ...]


def a_body(random: np.random.Generator) -> Body:
    """A body with a dark organ on the patient's right and a bright one on the left."""

    def around(values: Triple, share: float, size: float) -> tuple[Triple, Triple]:
        centre = tuple(float(v + random.uniform(-4, 4)) for v in values)
        half = tuple(float(size * random.uniform(1 - share, 1 + share)) for _ in range(3))
        return (centre[0], centre[1], centre[2]), (half[0], half[1], half[2])

    organs = (
        around((-30, -6, 4), 0.12, 27),
        around((31, 8, -4), 0.12, 25),
    )
    half = (random.uniform(62, 68), random.uniform(56, 62), random.uniform(48, 52))
    return Body(((0.0, 4.0, 0.0), (float(half[0]), float(half[1]), float(half[2]))), organs)


def grid(spacing_xyz_mm: Triple) -> Geometry:
    """A grid of `spacing_xyz_mm` over the extent of the training grid, the body's middle near its own."""
    extent = np.array(SHAPE_KJI[::-1]) * SPACING_MM
    k, j, i = (int(n) for n in np.ceil(extent / spacing_xyz_mm)[::-1])
    first = -(np.array((i, j, k)) - 1) / 2 * spacing_xyz_mm
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    return Geometry((k, j, i), spacing_xyz_mm, *axes, (float(first[0]), float(first[1]), float(first[2])))


def inside(ellipsoid: tuple[Triple, Triple], geometry: Geometry, edge_mm: float) -> NDArray[np.float32]:
    """How much of each voxel lies inside, 0 to 1, with an edge of about `edge_mm`."""
    centre, half = ellipsoid
    indices = [np.arange(size, dtype=np.float32) for size in geometry.shape_kji]
    affine = geometry.affine
    total = np.zeros(geometry.shape_kji, np.float32)
    for axis in range(3):
        k, j, i = (affine[axis, 2 - n] * index for n, index in enumerate(indices))
        at = k[:, None, None] + j[None, :, None] + i[None, None, :] + (affine[axis, 3] - centre[axis])
        total += np.square(at / half[axis], dtype=np.float32)
    away = (np.sqrt(total) - 1) * np.float32(np.mean(half))
    return np.asarray(np.clip(0.5 - away / max(edge_mm, 1e-3), 0, 1), dtype=np.float32)


def scan_of(body: Body, geometry: Geometry, random: np.random.Generator, edge_mm: float) -> NDArray[np.int16]:
    """A CT of `body`, with noise, and padding of -3024 HU in one corner."""
    image = np.full(geometry.shape_kji, -1000, np.float32)
    shapes = ((body.outline, TISSUE_HU), *zip(body.organs, ORGAN_HU, strict=True))
    for ellipsoid, value in shapes:
        share = inside(ellipsoid, geometry, edge_mm)
        image += share * (value - image)
    image += random.normal(0, 12, image.shape).astype(np.float32)
    image[:, : image.shape[1] // 12, : image.shape[2] // 12] = -3024
    return np.rint(image).astype(np.int16)


def truth_of(body: Body, geometry: Geometry) -> list[NDArray[np.bool_]]:
    """The voxels whose centres lie in each organ."""
    return [inside(organ, geometry, 0) > 0.5 for organ in body.organs]


def dice(mask: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    both = np.count_nonzero((mask > 0) & truth)
    return float(2 * both / max(1, np.count_nonzero(mask) + np.count_nonzero(truth)))


def moved(geometry: Geometry, by_mm: Triple) -> Geometry:
    """The same voxels elsewhere in the room."""
    x, y, z = (at + step for at, step in zip(geometry.origin_xyz_mm, by_mm, strict=True))
    return replace(geometry, origin_xyz_mm=(x, y, z))
