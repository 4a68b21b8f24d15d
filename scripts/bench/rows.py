"""A row of the table: what was measured, round by round, and what it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """`values` has one figure a round, in `unit`. `target` is the most, or with `at_least` the least.

    `original` is what the server that SegInt takes the place of needed on such a machine; `facts` go into
    the JSON beside the row: the median phases of a job in seconds, bytes, what else explains the figure.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    target: float | None = None
    original: float | None = None
    at_least: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median meets the target; None where there is none."""
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "values": list(self.values),
            "target": self.target,
            "at_least": self.at_least,
            "original": self.original,
            "met": self.met,
            **self.facts,
        }


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each entry over the rounds."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}
