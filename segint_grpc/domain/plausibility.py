"""What is cheap to see in a job's masks and worth a person's look. Never a reason to fail: a warning.

Sizes and thresholds are for people who read dozens of reports: a warning that always comes is not read.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc.domain import laterality
from segint_grpc.domain.agreement import centre_xyz_mm
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import DIRECTIONS

External = Model_pb2.Structure.StructureType.External

_OUTLINE = re.compile(r"external|body|skin|outline|patient", re.IGNORECASE)

USUAL_MIN = 10
"""How many masks of a structure say what is usual for it."""

UNUSUAL_FACTOR = 2.0
"""A volume within this factor of the median is never unusual, however alike the others are."""

SPREADS = 5.0
"""How many spreads (normal standard deviations, from the median deviation of logarithms) are unusual."""

NAMED_MAX = 5
NAME_LENGTH_MAX = 64


class MaskReview:
    """Looks at a job's masks one by one, in a fraction of a second each; only numbers are kept of them."""

    def __init__(self, structures: Sequence[Model_pb2.Structure]) -> None:
        """Review the masks of `structures`, by their order."""
        self._structures = structures
        self._names = [name_of(structure) for structure in structures]
        self._paired = {index for pair in laterality.pairs(self._names) for index in pair}
        self._volumes_ml: dict[str, float] = {}
        self._empty: list[str] = []
        self._x_mm: dict[int, float] = {}
        self._edges: dict[str, list[str]] = {}

    @property
    def count(self) -> int:
        """How many masks there are to look at."""
        return len(self._structures)

    @property
    def volumes_ml(self) -> Mapping[str, float]:
        """StructureID → the volume of its mask in millilitres, 0 for an empty one.

        A structure on a grid whose spacing gives no volume is left out.
        """
        return self._volumes_ml

    def look(self, index: int, mask_kji: NDArray[Any], geometry: Geometry) -> None:
        """Take note of the mask_kji (bool or uint8, 0 and 1) of the structure `index`, on its grid."""
        count = int(np.count_nonzero(mask_kji.view(np.bool_)))
        volume_ml = count * math.prod(geometry.spacing_xyz_mm) / 1000
        if math.isfinite(volume_ml) and (volume_ml > 0 or not count):
            self._volumes_ml[self._structures[index].StructureID] = volume_ml
        if not count:
            self._empty.append(self._names[index])
            return
        if not is_outline(self._structures[index]) and (edges := touched(mask_kji, geometry)):
            self._edges[self._names[index]] = edges
        if index in self._paired and (centre := centre_xyz_mm(mask_kji, geometry)) is not None:
            self._x_mm[index] = float(centre[0])

    def warnings(self) -> list[str]:
        """Return what is worth a look, one sentence for each kind."""
        edges = [f"{name} ({', '.join(sides)})" for name, sides in self._edges.items()]
        found = [f"Nothing was found of {in_words(self._empty)}."] if self._empty else []
        found += [f"Cut off by the edge of the scan: {in_words(edges)}."] if edges else []
        return found + [
            f"{left} lies further to the patient's right than {right}: left and right may be exchanged."
            for left, right in laterality.swapped(self._names, self._x_mm)[:NAMED_MAX]
        ]


def is_outline(structure: Model_pb2.Structure) -> bool:
    """Return whether a structure is the body's outline, which always goes on beyond the scan.

    The type alone does not say so: it reads as External where nobody has set it.
    """
    return structure.Type == External and bool(_OUTLINE.search(structure.Name))


def touched(mask_kji: NDArray[Any], geometry: Geometry) -> list[str]:
    """Return the sides of the patient at which a mask reaches the edge of its grid, as "head" or "left".

    A grid of a single slice, row or column has no edge along it.
    """
    sides = []
    for axis, vector in enumerate((geometry.z_axis, geometry.y_axis, geometry.x_axis)):
        if mask_kji.shape[axis] == 1:
            continue
        main = int(np.argmax(np.abs(vector)))
        words = DIRECTIONS[main] if vector[main] > 0 else DIRECTIONS[main][::-1]
        sides += [word for word, end in zip(words, (0, -1), strict=True) if mask_kji.take(end, axis).any()]
    return sides


def unusual(
    volumes_ml: Mapping[str, float], past_ml: Mapping[str, Sequence[float]], names: Mapping[str, str]
) -> list[str]:
    """Return which of a job's volumes are unusual for its version.

    Args:
        volumes_ml: the job's, by StructureID, in millilitres; empty masks (0) are not judged again.
        past_ml: those of earlier jobs.
        names: StructureID → the structure's name.
    """
    found = []
    for structure_id, volume_ml in volumes_ml.items():
        usual = sorted(volume for volume in past_ml.get(structure_id, ()) if volume > 0)
        if volume_ml > 0 and len(usual) >= USUAL_MIN and _is_unusual(volume_ml, usual):
            found.append(
                f"{names.get(structure_id, structure_id)} has {in_ml(volume_ml)}; the {len(usual)} masks "
                f"before had {in_ml(usual[0])} to {in_ml(usual[-1])}, half of them "
                f"{in_ml(_quantile(usual, 0.25))} to {in_ml(_quantile(usual, 0.75))}."
            )
    return found[:NAMED_MAX]


def name_of(structure: Model_pb2.Structure) -> str:
    """Return what a structure is called, cut to a readable length; its StructureID where it has no name."""
    return (structure.Name or structure.StructureID)[:NAME_LENGTH_MAX]


def in_ml(volume_ml: float) -> str:
    """Return a volume in words, with as many digits as it deserves: "1501 ml", "0.12 ml"."""
    return f"{volume_ml:.0f} ml" if volume_ml >= 10 else f"{volume_ml:.2g} ml"


def in_words(names: Sequence[str]) -> str:
    """Return `names` as a list in words, cut after a few."""
    more = len(names) - NAMED_MAX
    if more > 0:
        return ", ".join(names[:NAMED_MAX]) + f" and {more} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _is_unusual(volume_ml: float, usual: Sequence[float]) -> bool:
    logs = [math.log(volume) for volume in usual]
    median = statistics.median(logs)
    away = abs(math.log(volume_ml) - median)
    if away <= math.log(UNUSUAL_FACTOR):
        return False
    spread = 1.4826 * statistics.median(abs(each - median) for each in logs)
    return away > SPREADS * spread


def _quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))
