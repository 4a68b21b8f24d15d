"""How much memory a scan will take, from what earlier scans of the same version took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from segint_grpc.domain.job_statistics import MemoryUse

SIZES_MIN = 3
"""Scans of so many sizes show how memory grows with size."""

SIZES_RATIO_MIN = 1.5
"""How much the largest must exceed the smallest; sizes that lie closer say nothing of others."""


def predicted_bytes(uses: Sequence[MemoryUse], voxels: int) -> int:
    """Return the peak memory that a scan of `voxels` voxels is expected to need, or 0 where nothing is known.

    A job is refused for it, so it is an expectation and not an upper bound. Where the earlier scans have
    enough sizes it is the line through them (the median of slopes between all pairs of sizes, Theil and
    Sen, which a stray run does not move); else the most that a scan no larger has taken.
    """
    peaks: dict[int, list[int]] = defaultdict(list)
    for use in uses:
        peaks[use.voxels].append(use.peak_memory_bytes)
    sizes = np.array(sorted(peaks), dtype=np.float64)
    typical = np.array([float(np.median(peaks[int(size)])) for size in sizes])
    if sizes.size < SIZES_MIN or sizes[-1] < SIZES_RATIO_MIN * sizes[0]:
        return int(np.max(typical[sizes <= voxels], initial=0))
    first, second = np.triu_indices(sizes.size, 1)
    slope = max(0.0, float(np.median((typical[second] - typical[first]) / (sizes[second] - sizes[first]))))
    start = float(np.median(typical - slope * sizes))
    return int(max(0.0, start + slope * voxels))
