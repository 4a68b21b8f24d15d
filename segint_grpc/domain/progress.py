"""How far a job is, in percent, from the stage of its run, the share done of it, and how long stages take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segint_grpc.domain.jobs import RUN_STAGES, Stage

Weights = Mapping[Stage, float]
"""What each stage of a run takes of its time, in any unit; one that is left out takes nothing."""

PRIOR: Weights = {
    Stage.LOAD: 8.0,
    Stage.PREPARE: 4.0,
    Stage.INFER: 80.0,
    Stage.RESTORE: 2.0,
    Stage.ENCODE: 6.0,
}
"""What is taken for true of a version of which no run is known."""

PERCENT_MAX = 99
"""The most before a job has ended well: 100 is what tells a client to fetch the masks."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run is: its stage, the share (0 to 1) that is done of it, and since when, s.

    `elapsed_s` counts from the stage's beginning to now, `reported_s` to the moment when `share` was told.
    """

    stage: Stage
    share: float = 0.0
    elapsed_s: float = 0.0
    reported_s: float = 0.0
    cold: bool = False

    def follows(self, before: Position) -> bool:
        """Return whether a run that was at `before` can have come here: it only ever goes forward."""
        here, there = RUN_STAGES.index(self.stage), RUN_STAGES.index(before.stage)
        return (here, self.share) > (there, before.share)


def percent_of(stage: Stage, share: float, weights: Weights = PRIOR) -> int:
    """Return how far a job is, 0 to `PERCENT_MAX`, when `share` (0 to 1) of `stage` is done.

    It never falls while a run goes through its stages and their shares grow. What comes before the run has
    no weight: how long a job waits is no matter of its own.
    """
    if stage not in RUN_STAGES:
        return PERCENT_MAX if stage is Stage.DONE else 0
    total = sum(weights.get(each, 0.0) for each in RUN_STAGES)
    if not total > 0:
        return 0
    place = RUN_STAGES.index(stage)
    before = sum(weights.get(each, 0.0) for each in RUN_STAGES[:place])
    done = before + weights.get(stage, 0.0) * clamped(share)
    return min(PERCENT_MAX, int(PERCENT_MAX * (done / total)))


def clamped(share: float) -> float:
    """Return `share` between 0 and 1; a model may say anything, and NaN, which has no order, is 0."""
    return min(float(share), 1.0) if share > 0 else 0.0
