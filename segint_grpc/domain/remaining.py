"""How long until a job ends, from what its version's runs took, where its own is, and what is before it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from segint_grpc.domain.jobs import RUN_STAGES, Stage
from segint_grpc.domain.progress import PRIOR, Position
from segint_grpc.domain.run_times import FEW_HIGH, FEW_LOW, Expectation

OVERDUE = 0.125
"""A stage that takes longer than expected is taken to go on for this share of the time that it has taken."""

PACE_SHARE_MIN = 0.01
"""A smaller share says nothing of the pace of its stage."""

ALONE_SHARE_MIN = 0.05
"""From this share of the inference on, a run of which nothing else is known is judged by its own pace."""


@dataclass(frozen=True, slots=True)
class Remaining:
    """How long until a job ends, s: what is expected, and between what it will most likely be."""

    low_s: float
    expected_s: float
    high_s: float


UNKNOWN = Remaining(math.inf, math.inf, math.inf)
"""Nothing can be said; for reckoning only, never told."""


def of_run(expected: Expectation) -> Remaining:
    """Return what a run takes that has not begun."""
    total_s = expected.total_s
    return Remaining(total_s * expected.low, total_s, total_s * expected.high)


def from_here(expected: Expectation | None, at: Position) -> Remaining | None:
    """Return how long a run that is `at` goes on; None where neither its version nor its pace tell."""
    if expected is None:
        expected = _by_pace(at)
    if expected is None:
        return None
    later = RUN_STAGES[RUN_STAGES.index(at.stage) + 1 :]
    later_s = sum(expected.seconds.get(stage, 0.0) for stage in later)
    here = _of_stage(expected, at)
    return Remaining(
        here.low_s + later_s * expected.low,
        here.expected_s + later_s,
        here.high_s + later_s * expected.high,
    )


class Queue:
    """The slots that jobs take in their order, and how long until each is free.

    What depends on an `UNKNOWN` is unknown.
    """

    def __init__(self, slots: int, running: Sequence[Remaining]) -> None:
        """Begin with so many `slots`, and with how much longer the jobs at work take."""
        self._free_at = [_free_at(slots, [_parts(run)[part] for run in running]) for part in range(3)]

    @property
    def turn(self) -> Remaining:
        """How long until the next job has its turn."""
        return Remaining(*(heap[0] if heap else math.inf for heap in self._free_at))

    def add(self, run: Remaining) -> Remaining:
        """Let a job wait behind all others; return how long until it ends, where its run takes `run`."""
        ends = [start + part for start, part in zip(_parts(self.turn), _parts(run), strict=True)]
        for heap, end in zip(self._free_at, ends, strict=True):
            if heap:
                heapq.heapreplace(heap, end)
        return Remaining(*ends)


def _free_at(slots: int, running: Sequence[float]) -> list[float]:
    free_at = sorted(running)[-slots:] + [0.0] * (slots - len(running)) if slots > 0 else []
    heapq.heapify(free_at)
    return free_at


def _parts(run: Remaining) -> tuple[float, float, float]:
    return run.low_s, run.expected_s, run.high_s


def _of_stage(expected: Expectation, at: Position) -> Remaining:
    """Return how long the stage goes on: at first what is usual, then more and more this run's own pace."""
    usual_s = expected.seconds.get(at.stage, 0.0)
    if at.share < PACE_SHARE_MIN:
        parts = (usual_s * factor - at.elapsed_s for factor in (expected.low, 1.0, expected.high))
        low_s, expected_s, high_s = (max(part, 0.0) for part in parts)
        overdue_s = at.elapsed_s * OVERDUE
        return Remaining(low_s, max(expected_s, overdue_s), max(high_s, 2 * overdue_s))
    pace_s = at.reported_s / at.share
    whole_s = at.share * pace_s + (1 - at.share) * usual_s
    # A report is told at once, the next one may be a while away.
    left_s = max(whole_s * (1 - at.share) - (at.elapsed_s - at.reported_s), 0.0)
    unsure = 1 - at.share
    return Remaining(left_s * expected.low**unsure, left_s, left_s * expected.high**unsure)


def _by_pace(at: Position) -> Expectation | None:
    """Return what this run says of itself, halfway through its inference, where nothing else is known."""
    if at.stage is not Stage.INFER or at.share < ALONE_SHARE_MIN:
        return None
    infer_s = at.reported_s / at.share
    seconds = {stage: infer_s * weight / PRIOR[Stage.INFER] for stage, weight in PRIOR.items()}
    return Expectation(seconds, FEW_LOW, FEW_HIGH, runs=0, within=False)
