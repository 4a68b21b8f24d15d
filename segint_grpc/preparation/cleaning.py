"""What is done to one structure's mask on the model's own grid: the largest piece, cavities, small pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain.geometry import Geometry
from segint_grpc.preparation.resampling import scipy_ndimage

THRESHOLD = 0.5


@dataclass(frozen=True)
class Rules:
    """What holds for one structure. `label` is its label or class, `threshold` what lies inside is above."""

    label: int
    threshold: float
    largest_component: bool
    fill_holes: bool
    smallest_ml: float

    @property
    def change_nothing(self) -> bool:
        """Whether masks stay as they are."""
        return not (self.largest_component or self.fill_holes or self.smallest_ml > 0)


def rules_for(wanted: ScanHandling.Output, structure_id: str, label: int) -> Rules:
    """Return what `wanted` says of a structure, by its own element or for all."""
    own = next((one for one in wanted.structures if one.id == structure_id), ScanHandling.StructureOutput())

    def said(name: str, default: Any) -> Any:
        return getattr(own, name) if own.HasField(name) else default

    return Rules(
        label=label,
        threshold=said("threshold", wanted.threshold if wanted.HasField("threshold") else THRESHOLD),
        largest_component=said("largest_component", wanted.largest_component),
        fill_holes=said("fill_holes", wanted.fill_holes),
        smallest_ml=said("smallest_ml", wanted.smallest_ml),
    )


def cleaned(mask_kji: NDArray[np.bool_], rules: Rules, geometry: Geometry) -> NDArray[np.bool_]:
    """Return `mask_kji` with cavities filled and without the pieces that `rules` leave out, in that order."""
    if rules.change_nothing or not mask_kji.any():
        return mask_kji
    ndimage = scipy_ndimage()
    if rules.fill_holes:
        mask_kji = ndimage.binary_fill_holes(mask_kji)
    if not rules.largest_component and rules.smallest_ml <= 0:
        return mask_kji
    pieces, count = ndimage.label(mask_kji)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = sizes * math.prod(geometry.spacing_xyz_mm) / 1000 >= max(rules.smallest_ml, 1e-12)
    if rules.largest_component:
        kept &= np.arange(count + 1) == sizes.argmax()
    kept[0] = False
    return np.asarray(kept[pieces])


def bounding_box(mask_kji: NDArray[Any]) -> tuple[slice, slice, slice] | None:
    """Return the smallest box around what is not zero, None where all is."""
    parts = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        found = np.flatnonzero(mask_kji.any(axis=others))
        if not found.size:
            return None
        parts.append(slice(int(found[0]), int(found[-1]) + 1))
    return (parts[0], parts[1], parts[2])
