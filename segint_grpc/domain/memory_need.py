"""How much memory a scan will take, from what earlier scans of the same version took."""

from __future__ import annotations

from collections.abc import Sequence

from segint_grpc.domain.job_statistics import MemoryUse
from segint_grpc.domain.size_line import line_through, medians_by_size


class MemoryModel:
    """What some runs of one version say of the memory that others need."""

    def __init__(self, uses: Sequence[MemoryUse]) -> None:
        """Learn from `uses`."""
        self._medians = medians_by_size((use.voxels, use.peak_memory_bytes) for use in uses)
        self._line = line_through(self._medians)

    def expected_bytes(self, voxels: int) -> int:
        """Return the peak memory that a scan of `voxels` voxels is expected to need; 0 where none is known.

        A job is refused for it, so it is an expectation and not an upper bound. Where the earlier scans have
        enough sizes it is the line through them; else the most that a scan no larger has taken.
        """
        if self._line:
            return int(self._line.at(voxels))
        return int(max((peak for size, peak in self._medians.items() if size <= voxels), default=0))
