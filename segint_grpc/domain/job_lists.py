"""Many jobs: which are meant, in which order they are told of, and one with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.timeline import Event, Run


@dataclass(frozen=True, slots=True)
class JobFilter:
    """The jobs that fit everything that is set. Times are UTC; from the first on, before the second."""

    model_id: str = ""
    states: frozenset[JobState] = frozenset()
    submitted_from: datetime | None = None
    submitted_before: datetime | None = None
    caller: str = ""
    with_warnings: bool = False

    def fits(self, job: Job) -> bool:
        """Tell whether `job` is meant; the store asks its database the same."""
        return (
            self.model_id in ("", job.model_id)
            and (not self.states or job.state in self.states)
            and (self.submitted_from is None or self.submitted_from <= job.submitted_at)
            and (self.submitted_before is None or job.submitted_at < self.submitted_before)
            and self.caller in ("", job.caller)
            and (not self.with_warnings or bool(job.warnings))
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job stands among all, newest first. It stays there whatever comes and goes."""

    submitted_at: datetime
    job_id: str

    @classmethod
    def of(cls, job: Job) -> Place:
        """Return the place of `job`."""
        return cls(job.submitted_at, job.id)


@dataclass(frozen=True, slots=True)
class JobStory:
    """A job, its timeline and its runs, each oldest first."""

    job: Job
    timeline: tuple[Event, ...]
    runs: tuple[Run, ...]
