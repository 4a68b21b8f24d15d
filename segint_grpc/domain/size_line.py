"""How something that was measured grows with the size of a scan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import numpy as np

SIZES_MIN = 3
"""Scans of so many sizes show how a measure grows with size."""

SIZES_RATIO_MIN = 1.5
"""How much the largest must exceed the smallest; sizes that lie closer say nothing of others."""


@dataclass(frozen=True, slots=True)
class SizeLine:
    """A measure at a size of 0 voxels, and how much it grows with each voxel; it never shrinks."""

    start: float
    slope: float

    def at(self, voxels: float) -> float:
        """Return the measure that a scan of `voxels` voxels is expected to have, never below 0."""
        return max(0.0, self.start + self.slope * voxels)


def medians_by_size(measured: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return the median of what was `measured`, (voxels, measure), of each size, the smallest first."""
    by_size: dict[int, list[float]] = defaultdict(list)
    for voxels, measure in measured:
        by_size[voxels].append(measure)
    return {voxels: float(median(by_size[voxels])) for voxels in sorted(by_size)}


def line_through(medians: dict[int, float]) -> SizeLine | None:
    """Return the line through `medians_by_size`, or None where the sizes are too few or too alike.

    It is the median of the slopes between all pairs of sizes (Theil and Sen), which no stray run moves.
    """
    sizes, measures = np.array(list(medians), np.float64), np.array(list(medians.values()))
    if sizes.size < SIZES_MIN or sizes[-1] < SIZES_RATIO_MIN * sizes[0]:
        return None
    first, second = np.triu_indices(sizes.size, 1)
    slopes = (measures[second] - measures[first]) / (sizes[second] - sizes[first])
    slope = max(0.0, float(np.median(slopes)))
    return SizeLine(float(np.median(measures - slope * sizes)), slope)
