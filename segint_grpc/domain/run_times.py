"""What is known of how long a version's runs take, from those that went well, and what it says of the next.

Loading takes as long as the model is large, and next to nothing where it is loaded: runs that loaded it
(cold) are kept apart from those that did not. The other stages grow with the scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from segint_grpc.domain.jobs import RUN_STAGES, Stage, StageTimes
from segint_grpc.domain.size_line import SizeLine, line_through, medians_by_size

RUNS_REMEMBERED = 30
"""How many of a version's runs say what is usual: enough for a spread, few enough to follow a change."""

RUNS_ENOUGH = 5
"""So many runs show how much they differ."""

FEW_LOW, FEW_HIGH = 0.6, 1.6
"""The least spread, by these factors, where there are fewer."""

ENOUGH_LOW, ENOUGH_HIGH = 0.9, 1.1
"""The least spread however alike the runs were: the next one may be cut in on by others."""

LOW, HIGH = 10, 90
"""The percentiles between which the next run is expected."""

SHORTEST_S = 1e-6
"""What is expected to take less says nothing of how much runs differ: their quotient may be infinite."""

SIZED: tuple[Stage, ...] = tuple(stage for stage in RUN_STAGES if stage is not Stage.LOAD)


@dataclass(frozen=True, slots=True)
class RunTimes:
    """How long a run that went well took, and for how many voxels of all its channels together."""

    voxels: int
    times: StageTimes

    @property
    def sized_s(self) -> float:
        """What the stages took that grow with the scan, s."""
        return sum(self.times.seconds.get(stage, 0.0) for stage in SIZED)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How long each stage of a run is expected to take, s, and by which factors it may be less or more.

    `runs` is on how many it rests; `within` tells that they include scans as large, or that they are of
    enough sizes to show how the time grows.
    """

    seconds: Mapping[Stage, float]
    low: float
    high: float
    runs: int
    within: bool

    @property
    def total_s(self) -> float:
        """The whole run, s."""
        return sum(self.seconds.values())


class RunModel:
    """What some runs of one version say of others."""

    def __init__(self, runs: Sequence[RunTimes]) -> None:
        """Learn from `runs`, of which there is at least one."""
        self._runs = len(runs)
        self._largest = max(run.voxels for run in runs)
        self._typical = int(median(run.voxels for run in runs))
        self._sized = _is_sized(runs)
        self._lines = {stage: _line(runs, stage) for stage in SIZED}
        self._load_s = {cold: _median_load_s(runs, cold) for cold in (False, True)}
        self._low, self._high = self._spread(runs)

    def expect(self, voxels: int, cold: bool, infer_share: float = 1.0) -> Expectation:
        """Return what a run takes for `voxels` voxels (0: the usual number), loading its model if `cold`.

        It makes `infer_share` of the usual inference.
        """
        size = voxels or self._typical
        seconds = {stage: line.at(size) for stage, line in self._lines.items()}
        seconds[Stage.INFER] *= infer_share
        within = self._sized or size <= self._largest
        return Expectation(
            {Stage.LOAD: self._load_s[cold], **seconds}, self._low, self._high, self._runs, within
        )

    def _spread(self, runs: Sequence[RunTimes]) -> tuple[float, float]:
        """Return by which factors the runs were shorter and longer than they are now expected to be."""
        expected = [sum(line.at(run.voxels) for line in self._lines.values()) for run in runs]
        ratios = [
            run.sized_s / seconds for run, seconds in zip(runs, expected, strict=True) if seconds > SHORTEST_S
        ]
        low, high = np.percentile(ratios or [1.0], (LOW, HIGH))
        enough = len(runs) >= RUNS_ENOUGH
        least_low, least_high = (ENOUGH_LOW, ENOUGH_HIGH) if enough else (FEW_LOW, FEW_HIGH)
        return min(float(low), least_low), max(float(high), least_high)


def _is_sized(runs: Sequence[RunTimes]) -> bool:
    return line_through(medians_by_size((run.voxels, run.sized_s) for run in runs)) is not None


def _line(runs: Sequence[RunTimes], stage: Stage) -> SizeLine:
    """Return how `stage` grows with the scan; in proportion, where the scans are too alike to show it."""
    medians = medians_by_size((run.voxels, run.times.seconds.get(stage, 0.0)) for run in runs)
    line = line_through(medians)
    if line and line.start >= 0:
        return line
    return SizeLine(0.0, median(seconds / voxels for voxels, seconds in medians.items()))


def _median_load_s(runs: Sequence[RunTimes], cold: bool) -> float:
    alike = [run.times.seconds.get(Stage.LOAD, 0.0) for run in runs if run.times.cold is cold]
    return median(alike) if alike else 0.0
