"""Whether masks of the same body, stored in two ways, lie at the same millimetres; and if not, what happened.

No truth is needed: the masks of the body as it was first stored are the reference. A mask found in another
placement is laid back on the reference's grid (domain/orientation.py), so that equal array indices are
equal millimetres, and compared by its Dice coefficient, plane by plane: whole scans may be memory maps. A
mask that fills more than half of its grid is compared by what it leaves out, or air would always agree.

A model that mirrors, or exchanges axes, is told from one that is merely at a loss by trying what would mend
it: each of the ways to turn an array that keep its shape, as two stories. "It always does so": both masks
are turned back. "It does so here": only the new one is. A story is believed when it makes the masks agree
and explains most of what the plain comparison leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import DIRECTIONS, Arrangement, Placement, patient_axis

AGREES = 0.8
"""Dice from which two masks count as the same: a network's own wavering stays above it, a shift does not."""

DIFFERS = 0.5
"""Dice below which the mask lies somewhere else."""

CERTAIN = 0.98
"""Mean Dice above which there is nothing left to explain."""

GAIN = 0.02
"""How much more mean Dice a story must give; and it must explain two thirds of the disagreement."""

STORY_STRUCTURES = 6
"""How many structures, the largest, stories are tried on: a model turns all of its masks or none."""

AS_IT_IS = Arrangement()
TURNS = tuple(
    Arrangement((order[0], order[1], order[2]), (back[0], back[1], back[2]))
    for order in permutations(range(3))
    for back in product((False, True), repeat=3)
)
"""The 48 ways to turn an array, flips first."""

Masks = Mapping[str, NDArray[Any]]
"""StructureID → mask_kji, 0 outside and 1 inside."""

Story = tuple[Arrangement, Arrangement]
"""What mends the reference, and what mends the new masks."""


class Verdict(StrEnum):
    """What became of the masks in another placement.

    NOTHING: no structure was found in either. DIFFERS: a Dice under `AGREES`. LOST: a structure that was
    found in one of both alone. ELSEWHERE: a Dice under `DIFFERS`. ALWAYS_TURNED and TURNED_HERE: mirrored, or
    with axes exchanged, as `Agreement.mend` would undo.
    """

    NOTHING = "nothing"
    AGREES = "agrees"
    DIFFERS = "differs"
    LOST = "lost"
    ELSEWHERE = "elsewhere"
    TURNED_HERE = "turned here"
    ALWAYS_TURNED = "always turned"


@dataclass(frozen=True)
class Agreement:
    """How masks agree: the verdict, the Dice of each found structure, and how masks have to be turned."""

    verdict: Verdict
    dice: Mapping[str, float]
    mend: Arrangement = AS_IT_IS

    @property
    def turned(self) -> bool:
        """Whether masks come out mirrored or with axes exchanged."""
        return self.verdict in (Verdict.ALWAYS_TURNED, Verdict.TURNED_HERE)

    @property
    def worst(self) -> tuple[str, float]:
        """The StructureID that agrees least, and its Dice; ("", 1.0) where nothing was found."""
        return min(self.dice.items(), key=lambda item: item[1], default=("", 1.0))


def agreement(reference: Masks, found: Masks, placement: Placement) -> Agreement:
    """Compare the masks of the base grid (`reference`) with those that were `found` in `placement`."""
    dice = _dices(reference, found, placement, (AS_IT_IS, AS_IT_IS))
    if not dice:
        return Agreement(Verdict.NOTHING, {})
    if _mean(dice) <= CERTAIN and (story := _story(reference, found, placement)):
        before, mend = story
        return Agreement(Verdict.TURNED_HERE if before == AS_IT_IS else Verdict.ALWAYS_TURNED, dice, mend)
    return Agreement(_plain_verdict(dice, reference, found), dice)


def turned_in_words(agreed: Agreement, base: Geometry, placement: Placement) -> str:
    """Return how masks are turned: "mirrored left–right", "with front–back and left–right exchanged"."""
    # A model that always turns does so along the axes of whatever array it is given.
    seen = base if agreed.verdict is Verdict.ALWAYS_TURNED else placement.geometry(base)
    exchanged = [axis for axis in range(3) if agreed.mend.order[axis] != axis]
    mirrored = [axis for axis in range(3) if agreed.mend.reverse[axis]]
    if exchanged:
        return f"with {_axes_in_words(exchanged, seen)} exchanged"
    return f"mirrored {_axes_in_words(mirrored, seen)}"


def _axes_in_words(axes: list[int], geometry: Geometry) -> str:
    names = dict.fromkeys(patient_axis(geometry, axis) for axis in reversed(axes))
    return " and ".join(names)


def _story(reference: Masks, found: Masks, placement: Placement) -> Story | None:
    """Return the story that explains the masks better than what meets the eye, if there is one."""
    names = sorted(reference, key=lambda name: -int(np.count_nonzero(found[name])))[:STORY_STRUCTURES]
    some, others = ({name: masks[name] for name in names} for masks in (reference, found))
    plain = _mean(_dices(some, others, placement, (AS_IT_IS, AS_IT_IS)))
    told = [(_mean(_dices(some, others, placement, story)), story) for story in _stories(some, others)]
    best, story = max(told, key=lambda item: item[0])
    believed = best >= AGREES and best > plain + GAIN and (1 - best) < (1 - plain) / 3
    return story if believed else None


def _stories(reference: Masks, found: Masks) -> Iterator[Story]:
    """Yield every story that keeps the masks' shapes; of those that explain the same, the simpler first."""
    shapes = {mask.shape for masks in (reference, found) for mask in masks.values()}
    fitting = [
        turn
        for turn in TURNS[1:]
        if all(shape[turn.order[axis]] == shape[axis] for shape in shapes for axis in range(3))
    ]
    yield from ((turn, turn) for turn in fitting)
    yield from ((AS_IT_IS, turn) for turn in fitting)


def overlap(first: NDArray[Any], second: NDArray[Any]) -> tuple[int, int, int]:
    """Return how many voxels both masks have, the first has and the second has; plane by plane."""
    both = one = other = 0
    for a, b in zip(first, second, strict=True):
        here, there = int(np.count_nonzero(a)), int(np.count_nonzero(b))
        if here and there:
            both += int(np.count_nonzero(np.logical_and(a, b)))
        one, other = one + here, other + there
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


def _dices(reference: Masks, found: Masks, placement: Placement, story: Story) -> dict[str, float]:
    """Return the Dice of each structure that is in either, once `story` has mended the masks."""
    before, after = story
    dice = {}
    for name, mask_kji in reference.items():
        shape = (mask_kji.shape[0], mask_kji.shape[1], mask_kji.shape[2])
        base = before.apply(mask_kji)[placement.common(shape)]
        both, one, other = overlap(base, placement.undo(after.apply(found[name])))
        if one + other > base.size:
            both, one, other = base.size - one - other + both, base.size - one, base.size - other
        if one + other:
            dice[name] = 2 * both / (one + other)
    return dice


def _plain_verdict(dice: Mapping[str, float], reference: Masks, found: Masks) -> Verdict:
    lowest = min(dice.values())
    if lowest >= DIFFERS:
        return Verdict.AGREES if lowest >= AGREES else Verdict.DIFFERS
    apart = [name for name, value in dice.items() if value < DIFFERS]
    alone = [name for name in apart if not reference[name].any() or not found[name].any()]
    return Verdict.LOST if len(alone) == len(apart) else Verdict.ELSEWHERE


def _mean(dice: Mapping[str, float]) -> float:
    return float(np.mean(list(dice.values()))) if dice else 0.0
