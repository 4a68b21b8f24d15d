"""What a server does right now, put together from its figures, its jobs, and its disk."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from generated.segint.v1 import job_pb2, jobs_pb2, operations_pb2
from segint_grpc.client.job_administration import JobAdministration, timestamp
from segint_grpc.client.operations import Operations

WAITING_MAX = 20
"""How many waiting jobs are named."""
RECENT_MAX = 1000
RECENT = timedelta(hours=1)
WAITING = (job_pb2.JOB_STATE_RECEIVED, job_pb2.JOB_STATE_QUEUED)


@dataclass(frozen=True)
class Rates:
    """How the jobs of the last hour went: their ends, and the median (s) from posting to success."""

    succeeded: int
    failed: int
    cancelled: int
    median_s: float | None

    @classmethod
    def of(cls, jobs: Iterable[job_pb2.JobProgress]) -> Self:
        """Count `jobs`."""
        known = list(jobs)
        ends = Counter(job.state for job in known)
        spent_s = [_spent_s(job) for job in known if job.state == job_pb2.JOB_STATE_SUCCEEDED]
        return cls(
            succeeded=ends[job_pb2.JOB_STATE_SUCCEEDED],
            failed=ends[job_pb2.JOB_STATE_FAILED],
            cancelled=ends[job_pb2.JOB_STATE_CANCELLED],
            median_s=statistics.median(spent_s) if spent_s else None,
        )


@dataclass(frozen=True)
class Overview:
    """A server at one moment; `running` has the jobs at work by the names of their slots."""

    figures: operations_pb2.GetFiguresResponse
    running: Mapping[str, job_pb2.JobProgress]
    waiting: Sequence[job_pb2.JobProgress]
    rates: Rates
    disk_free_bytes: int
    disk_bytes: int


class Overseer:
    """Asks a server, again and again; raises as `Connection` says."""

    def __init__(self, operations: Operations, jobs: JobAdministration) -> None:
        """Prepare to ask over the connections given."""
        self._operations = operations
        self._jobs = jobs

    def look(self) -> Overview:
        """Return the server as it is now."""
        figures = self._operations.figures()
        return Overview(
            figures=figures,
            running=dict(sorted(self._running())),
            waiting=self._waiting(),
            rates=self._rates(),
            disk_free_bytes=figures.disk_free_bytes,
            disk_bytes=figures.disk_bytes,
        )

    def _running(self) -> Iterable[tuple[str, job_pb2.JobProgress]]:
        wanted = jobs_pb2.JobFilter(states=[job_pb2.JOB_STATE_RUNNING])
        for summary in self._jobs.jobs(wanted):
            found = self._jobs.job(summary.job.segmentation_id)
            yield (found.runs[-1].slot if found.runs else "", found.job.job)

    def _waiting(self) -> list[job_pb2.JobProgress]:
        found = [summary.job for summary in self._jobs.jobs(jobs_pb2.JobFilter(states=WAITING))]
        return sorted(found, key=lambda job: job.submitted_at.ToNanoseconds())[:WAITING_MAX]

    def _rates(self) -> Rates:
        wanted = jobs_pb2.JobFilter(submitted_after=timestamp(datetime.now(UTC) - RECENT))
        return Rates.of(summary.job for summary in itertools.islice(self._jobs.jobs(wanted), RECENT_MAX))


def _spent_s(job: job_pb2.JobProgress) -> float:
    return (job.finished_at.ToNanoseconds() - job.submitted_at.ToNanoseconds()) / 1e9
