"""Whether masks of the same body, stored in two ways, lie at the same millimetres; and if not, what happened.

No truth is needed: the masks of the body as it was first stored are the reference. A mask found in another
placement is laid back on the reference's grid (domain/orientation.py), so that equal array indices are
equal millimetres, and compared by its Dice coefficient, plane by plane: whole scans may be memory maps.

A model that mirrors is told from one that is merely at a loss by trying what would mend it. For every set of
array axes two stories are tried: "it always mirrors" (both masks are turned back) and "it mirrors here"
(only the new one is). A story is believed when it makes the masks agree and the plain comparison does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import DIRECTIONS, Placement, flip, patient_axis

AGREES = 0.8
"""Dice from which two masks count as the same: a network's own wavering stays above it, a shift does not."""

DIFFERS = 0.5
"""Dice below which the mask lies somewhere else."""

BELIEVED = 0.1
"""How much more Dice a story of mirroring must give than the plain comparison."""

ALL_AXES = (0, 1, 2)
AXIS_SETS = tuple(axes for count in (1, 2, 3) for axes in combinations(ALL_AXES, count))

Masks = Mapping[str, NDArray[Any]]
"""StructureID → mask_kji, 0 outside and 1 inside."""


class Verdict(StrEnum):
    """What became of the masks in another placement, from good to bad."""

    NOTHING = "nothing"
    AGREES = "agrees"
    DIFFERS = "differs"
    LOST = "lost"
    ELSEWHERE = "elsewhere"
    MIRRORED_HERE = "mirrored here"
    MIRRORED = "mirrored"


@dataclass(frozen=True)
class Agreement:
    """How masks agree: the verdict, each found structure's Dice, and the array axes of a mirror.

    NOTHING: no structure was found in either. DIFFERS: a Dice under `AGREES`. LOST: a structure that was
    found in one placement alone. ELSEWHERE: a Dice under `DIFFERS`. The mirrors say what would mend them.
    """

    verdict: Verdict
    dice: Mapping[str, float]
    axes: tuple[int, ...] = ()

    @property
    def worst(self) -> tuple[str, float]:
        """The StructureID that agrees least, and its Dice; ("", 1.0) where nothing was found."""
        return min(self.dice.items(), key=lambda item: item[1], default=("", 1.0))


def agreement(reference: Masks, found: Masks, placement: Placement) -> Agreement:
    """Compare the masks of the base grid (`reference`) with those that were `found` in `placement`."""
    dice = _dices(reference, found, placement, (), ())
    if not dice:
        return Agreement(Verdict.NOTHING, {})
    plain = _mean(dice)
    if min(dice.values()) >= AGREES and plain > 1 - BELIEVED:
        return Agreement(Verdict.AGREES, dice)
    stories = [(axes, axes) for axes in AXIS_SETS] + [((), axes) for axes in AXIS_SETS]
    told = [(_mean(_dices(reference, found, placement, *story)), story) for story in stories]
    best, (before, axes) = max(told, key=lambda item: item[0])
    if best >= AGREES and best > plain + BELIEVED:
        return Agreement(Verdict.MIRRORED if before else Verdict.MIRRORED_HERE, dice, axes)
    return Agreement(_plain_verdict(dice, reference, found, placement), dice)


def mirrored_axes(agreed: Agreement, base: Geometry, placement: Placement) -> str:
    """Return the patient's axes of a mirror in words: "left–right and front–back"."""
    # A model that mirrors does so along the axes of whatever array it is given.
    seen = base if agreed.verdict is Verdict.MIRRORED else placement.geometry(base)
    return " and ".join(sorted({patient_axis(seen, axis) for axis in agreed.axes}, reverse=True))


def overlap(first: NDArray[Any], second: NDArray[Any]) -> tuple[int, int, int]:
    """Return how many voxels both masks have, the first has and the second has; plane by plane."""
    both = one = other = 0
    for a, b in zip(first, second, strict=True):
        here, there = a != 0, b != 0
        both += int(np.count_nonzero(here & there))
        one += int(np.count_nonzero(here))
        other += int(np.count_nonzero(there))
    return both, one, other


def centre_xyz_mm(mask_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.float64] | None:
    """Return the centre of mass (3,), LPS in mm, of a mask on the grid of `geometry`; None if it is empty."""
    total, weighted = 0, np.zeros(3)
    for k, plane in enumerate(mask_kji):
        rows, columns = np.count_nonzero(plane, axis=1), np.count_nonzero(plane, axis=0)
        count = int(rows.sum())
        total += count
        weighted += (
            k * count,
            float(rows @ np.arange(rows.size)),
            float(columns @ np.arange(columns.size)),
        )
    return geometry.xyz_mm(weighted[None, :] / total)[0] if total else None


def shift_in_words(shift_xyz_mm: NDArray[np.float64]) -> str:
    """Return a shift (3,), LPS in mm, as "40 mm towards the left and 12 mm towards the feet"."""
    parts = [
        f"{abs(shift):.0f} mm towards the {words[int(shift > 0)]}"
        for shift, words in zip(shift_xyz_mm, DIRECTIONS, strict=True)
        if abs(shift) >= 1
    ]
    return " and ".join(parts) or "less than 1 mm"


def _dices(
    reference: Masks, found: Masks, placement: Placement, before: tuple[int, ...], after: tuple[int, ...]
) -> dict[str, float]:
    """Return the Dice of each structure that is in either, with array axes turned back first."""
    dice = {}
    for name, mask_kji in reference.items():
        shape = (mask_kji.shape[0], mask_kji.shape[1], mask_kji.shape[2])
        base = flip(mask_kji, before)[placement.common(shape)]
        both, one, other = overlap(base, placement.undo(flip(found[name], after)))
        if one + other:
            dice[name] = 2 * both / (one + other)
    return dice


def _plain_verdict(
    dice: Mapping[str, float], reference: Masks, found: Masks, placement: Placement
) -> Verdict:
    lowest = min(dice.values())
    if lowest >= DIFFERS:
        return Verdict.AGREES if lowest >= AGREES else Verdict.DIFFERS
    apart = [name for name, value in dice.items() if value < DIFFERS]
    alone = [name for name in apart if not reference[name].any() or not found[name].any()]
    return Verdict.LOST if len(alone) == len(apart) else Verdict.ELSEWHERE


def _mean(dice: Mapping[str, float]) -> float:
    return float(np.mean(list(dice.values()))) if dice else 0.0
