"""Bodies that the project draws itself, small enough for a check to take seconds.

What is drawn has a place for everything that a threshold may look for (gas, lung, fat, fluid, muscle, liver,
contrast, bone, metal) and lies off the middle along all three axes, with an arm on one side: nothing in it
has a mirror image near itself. It is drawn in units of the grid: x from -1 (patient's right) to 1 (left),
y from -1 (front) to 1 (back), z from -1 (feet) to 1 (head). Air surrounds it far enough for
`trials.PHANTOM_MOVE` to move the grid without cutting it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2

Modality = Model_pb2.ModelChannelConstraints.ModalityTypes
Triple = tuple[float, float, float]

NOISE = 6.0
"""Standard deviation of the voxels' noise; well under the distance between tissues."""


@dataclass(frozen=True)
class Tissue:
    """What a tissue looks like: HU in a CT, and in MR and PET numbers of no unit that are never negative."""

    ct_hu: int
    mr: int
    pet: int


AIR = Tissue(-1000, 0, 0)
FAT = Tissue(-95, 900, 60)
MUSCLE = Tissue(45, 400, 90)
LUNG = Tissue(-800, 70, 40)
LIVER = Tissue(115, 520, 300)
CONTRAST = Tissue(260, 700, 500)
BONE = Tissue(750, 180, 70)
METAL = Tissue(2500, 20, 20)
FLUID = Tissue(5, 1200, 50)
GAS = Tissue(-960, 10, 10)
TUMOUR = Tissue(70, 620, 2000)

BODY: tuple[tuple[Tissue, Triple, Triple], ...] = (
    (FAT, (0.10, -0.08, 0.06), (0.62, 0.58, 0.66)),
    (FAT, (0.52, -0.22, 0.46), (0.28, 0.26, 0.32)),
    (MUSCLE, (0.10, -0.08, 0.06), (0.56, 0.52, 0.60)),
    (LUNG, (-0.16, -0.12, 0.32), (0.22, 0.28, 0.24)),
    (LIVER, (-0.16, -0.16, -0.16), (0.24, 0.26, 0.20)),
    (CONTRAST, (0.38, -0.02, -0.20), (0.14, 0.17, 0.20)),
    (BONE, (0.08, 0.28, 0.10), (0.13, 0.13, 0.48)),
    (BONE, (0.36, -0.18, 0.16), (0.08, 0.22, 0.12)),
    (METAL, (-0.22, 0.16, -0.34), (0.07, 0.07, 0.07)),
    (FLUID, (0.14, -0.36, -0.22), (0.14, 0.10, 0.14)),
    (GAS, (0.32, -0.34, 0.34), (0.10, 0.12, 0.10)),
    (TUMOUR, (0.38, 0.10, 0.36), (0.12, 0.12, 0.12)),
)
"""Ellipsoids, the later over the earlier: tissue, centre and half axes (x, y, z) in units of the grid."""


def value_of(tissue: Tissue, modality: int) -> int:
    """Return what `tissue` looks like in a scan of `modality` (ModalityTypes)."""
    if modality in (Modality.CT, Modality.CTA):
        return tissue.ct_hu
    return tissue.pet if modality == Modality.PET else tissue.mr


def draw(shape_kji: tuple[int, int, int], modality: int, seed: int = 11) -> NDArray[np.int16]:
    """Return the body as an image_kji of `shape_kji`; the same arguments give the same voxels."""
    z, y, x = (_units(size) for size in shape_kji)
    image_kji = np.full(shape_kji, value_of(AIR, modality), dtype=np.int16)
    for tissue, (cx, cy, cz), (rx, ry, rz) in BODY:
        distance = (
            ((z - cz) / rz)[:, None, None] ** 2
            + ((y - cy) / ry)[None, :, None] ** 2
            + ((x - cx) / rx)[None, None, :] ** 2
        )
        image_kji[distance < 1] = value_of(tissue, modality)
    noise = np.random.default_rng(seed).normal(0, NOISE, shape_kji)
    # PET and MR are never negative.
    least = -1024 if modality in (Modality.CT, Modality.CTA) else 0
    return np.clip(image_kji + np.rint(noise), least, 3071).astype(np.int16)


def empty(shape_kji: tuple[int, int, int], modality: int) -> NDArray[np.int16]:
    """Return a scan of nothing but air."""
    return np.full(shape_kji, value_of(AIR, modality), dtype=np.int16)


def _units(size: int) -> NDArray[Any]:
    return (np.arange(size) + 0.5) * 2 / size - 1
