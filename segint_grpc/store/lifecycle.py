"""How a job changes: the only code that writes a job's state, its runs and its timeline.

Every change is conditional on the state it starts from and, where a run makes it, on that run's lease, and
is checked by the number of rows it changed. All of it happens inside the caller's transaction, so a job's
row, its run and its timeline never tell different stories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState, Lease, Stage, check_transition
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.store.database import Transaction
from segint_grpc.store.schema import EventTable, JobTable, RunTable


@dataclass(frozen=True)
class Change:
    """A state to go to: from which states, what else the row then says, and how an open run ended."""

    before: Collection[JobState]
    after: JobState
    columns: dict[str, Any] = field(default_factory=dict)
    detail: str = ""
    outcome: RunOutcome | None = None
    peak_memory_bytes: int = 0


def advance(
    transaction: Transaction, job_id: str, change: Change, at: datetime, lease: Lease | None = None
) -> None:
    """Make `change` on the job, provided that it is in one of the states before and, if given, under `lease`.

    Raises:
        StaleLease: it is not; nothing has changed.
    """
    for state in change.before:
        check_transition(state, change.after)
    owned = owned_by(lease) if lease else (JobTable.id == job_id,)
    query = JobTable.update(state=change.after, token="", lease_until=None, **change.columns)
    if transaction.change(query.where(*owned, JobTable.state.in_(change.before))) != 1:
        raise stale(job_id, lease)
    if change.outcome:
        _end_run(transaction, job_id, change, at)
    note(transaction, job_id, at, EventKind.STATE, _sentence(change))


def owned_by(lease: Lease) -> tuple[Any, ...]:
    """Return the conditions under which `lease` still owns its job."""
    return (
        JobTable.id == lease.job_id,
        JobTable.state == JobState.RUNNING,
        JobTable.attempt == lease.attempt,
        JobTable.token == lease.token,
    )


def stale(job_id: str, lease: Lease | None) -> errors.StaleLease:
    """Return the error of a change that came too late."""
    if lease is None:
        return errors.StaleLease(f"Job {job_id} has gone on to another state.")
    return errors.StaleLease(f"Run {lease.attempt} of job {lease.job_id} does not own it any more.")


def note(transaction: Transaction, job_id: str, at: datetime, kind: str, text: str) -> None:
    """Add a line to the job's timeline."""
    transaction.change(EventTable.insert(job=job_id, at=at, kind=kind, text=text))


def warn(transaction: Transaction, job_id: str, at: datetime, warnings: Iterable[str]) -> None:
    """Add each of `warnings` to the job's timeline."""
    for text in warnings:
        note(transaction, job_id, at, EventKind.WARNING, text)


def requeued(outcome: RunOutcome, reason: str) -> Change:
    """Return the change that puts a running job back into the queue."""
    columns = {"stage": Stage.QUEUE}
    return Change({JobState.RUNNING}, JobState.QUEUED, columns, reason, outcome)


def failed(before: Collection[JobState], at: datetime, code: str, text: str) -> Change:
    """Return the change that fails a job with the API's error code and a sentence for its owner."""
    columns = {"error_code": code, "error_text": text, "finished_at": at}
    return Change(before, JobState.FAILED, columns, f"{code}, {text}", RunOutcome.FAILED)


def cut_short(transaction: Transaction, job_id: str, reason: str, attempts_max: int, at: datetime) -> Change:
    """Return the change that a run which was ended from outside asks for: again, or enough."""
    earlier = RunTable.select().where(RunTable.job == job_id, RunTable.outcome == RunOutcome.CUT_SHORT)
    cuts = transaction.count(earlier) + 1
    if cuts < attempts_max:
        return requeued(RunOutcome.CUT_SHORT, reason)
    text = f"The run was ended from outside {cuts} times, at last because {reason}; it is not tried again."
    change = failed({JobState.RUNNING}, at, errors.JobFailure.error_code, text)
    return replace(change, outcome=RunOutcome.CUT_SHORT)


def _end_run(transaction: Transaction, job_id: str, change: Change, at: datetime) -> None:
    ended = RunTable.update(
        ended_at=at, outcome=change.outcome, reason=change.detail, peak_memory_bytes=change.peak_memory_bytes
    )
    transaction.change(ended.where(RunTable.job == job_id, RunTable.ended_at.is_null()))


def _sentence(change: Change) -> str:
    return f"{change.after}: {change.detail}" if change.detail else str(change.after)
