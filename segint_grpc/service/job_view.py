"""A job as those who ask for it see it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.remaining import Remaining

MOVED_S = 2.0
MOVED_SHARE = 0.1
"""An end that is expected this much earlier or later than before, by either measure, is worth telling."""


@dataclass(frozen=True)
class JobView:
    """A job, how many are before it while it waits, and how long until it ends, where that is known.

    `seen_at` is a reading of the monotonic clock, s.
    """

    job: Job
    jobs_ahead: int = 0
    remaining: Remaining | None = None
    seen_at: float = field(default_factory=time.monotonic, compare=False)

    @property
    def waits(self) -> bool:
        """True before the job's run."""
        return self.job.state in (JobState.RECEIVED, JobState.QUEUED)

    def differs_from(self, before: JobView) -> bool:
        """Return whether somebody who was shown `before` is to be shown this: seconds pass by themselves."""
        if (self.job, self.jobs_ahead) != (before.job, before.jobs_ahead):
            return True
        if self.remaining is None or before.remaining is None:
            return self.remaining is not before.remaining
        end, end_before = (view.seen_at + _expected_s(view) for view in (self, before))
        return abs(end - end_before) > max(MOVED_S, MOVED_SHARE * self.remaining.expected_s)


def _expected_s(view: JobView) -> float:
    return view.remaining.expected_s if view.remaining else 0.0
