"""Pairs of a left and a right structure, told by their names, and whether they lie on their sides.

In LPS x grows towards the patient's left, so the left structure's centre must have the greater x.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

LEFT = frozenset({"left", "l", "lt", "lft"})
RIGHT = frozenset({"right", "r", "rt", "rgt"})

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return which of `names` are the left and the right one of a pair, as (index left, index right).

    A side is a word of the name in any case: "Lung_L", "kidney left", "Left Femur", "LungR", "RT EYE". A
    name with two sides belongs to no pair, nor do names that more than two structures share.
    """
    sides: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for index, name in enumerate(names):
        words = [word.casefold() for word in _WORD.findall(name)]
        marks = [word for word in words if word in LEFT | RIGHT]
        if len(marks) == 1 and len(words) > 1:
            rest = tuple(word for word in words if word not in marks)
            side = "left" if marks[0] in LEFT else "right"
            sides.setdefault(rest, {"left": [], "right": []})[side].append(index)
    found = [(both["left"], both["right"]) for both in sides.values()]
    return [(left[0], right[0]) for left, right in found if len(left) == len(right) == 1]


def swapped(names: Sequence[str], x_mm: Mapping[int, float]) -> list[tuple[str, str]]:
    """Return the pairs of which the left one lies further to the right, as (left name, right name).

    `x_mm` holds the x of the centres, LPS in mm, by index; a structure that was not found is not there.
    """
    return [
        (names[left], names[right])
        for left, right in pairs(names)
        if left in x_mm and right in x_mm and x_mm[left] < x_mm[right]
    ]
