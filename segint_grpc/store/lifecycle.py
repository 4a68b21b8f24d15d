"""How a job changes: the only code that writes a job's state, its runs and its timeline.

Every change is conditional on the state it starts from and, where a run makes it, on that run's lease, and
is checked by the number of rows it changed. All of it happens inside the caller's transaction, so a job's
row, its run and its timeline never tell different stories.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from peewee import Case, IntegrityError, Value, fn

from segint_grpc import errors
from segint_grpc.domain.jobs import (
    Job,
    JobState,
    Lease,
    NewJob,
    Result,
    Stage,
    check_transition,
    parse_job_id,
)
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.job_rows import TIMES_COLUMNS, job_with, times_row
from segint_grpc.store.moments import MICROSECOND
from segint_grpc.store.prepared import Prepared
from segint_grpc.store.prepared import slot as value
from segint_grpc.store.schema import EventTable, JobTable, RunTable, VolumeTable

WARM_HEAD_START = timedelta(seconds=15)
"""How much later a job may come and still go first because its model is loaded."""


OWNED = (
    JobTable.id == value(JobTable.id),
    JobTable.state == JobState.RUNNING,
    JobTable.attempt == value(JobTable.attempt, "owned_attempt"),
    JobTable.token == value(JobTable.token, "owned_token"),
)
"""The conditions under which a lease still owns its job, in a prepared statement; see `ownership`."""


def _inserting(table: Any, *names: str) -> Any:
    return table.insert(**{name: value(getattr(table, name)) for name in names})


_NEW = (*(set(NewJob.__dataclass_fields__) - {"warnings"}), "state", "stage")
_INSERT = Prepared(_inserting(JobTable, *_NEW).returning(JobTable))
_BEGIN_RUN = Prepared(_inserting(RunTable, "job", "attempt", "slot", "started_at"))
_NOTE = Prepared(_inserting(EventTable, "job", "at", "kind", "text"))
_RUN_ID = RunTable.select(RunTable.id).where(
    RunTable.job == value(RunTable.job), RunTable.attempt == value(RunTable.attempt)
)
_KEEP_VOLUME = Prepared(
    VolumeTable.insert(
        run=_RUN_ID, structure_id=value(VolumeTable.structure_id), volume_ml=value(VolumeTable.volume_ml)
    )
)
_ENDED = ("ended_at", "outcome", "reason", "peak_memory_bytes", "voxels", *TIMES_COLUMNS)
_NOTHING = Result(size_bytes=0, sha256="")
_END_RUN = Prepared(
    RunTable.update(**{name: value(getattr(RunTable, name)) for name in _ENDED}).where(
        RunTable.job == value(RunTable.job), RunTable.ended_at.is_null()
    )
)


@dataclass(frozen=True)
class Change:
    """A state to go to: from which states, what else the row then says, and how an open run ended.

    `result` is what that run made and measured, if it succeeded.
    """

    before: Collection[JobState]
    after: JobState
    columns: dict[str, Any] = field(default_factory=dict)
    detail: str = ""
    outcome: RunOutcome | None = None
    result: Result | None = None


def insert(transaction: Transaction, new: NewJob, at: datetime) -> Job:
    """Begin a job, and return it.

    Raises:
        AlreadyExists: there is a job of that id.
    """
    columns = {name: getattr(new, name) for name in NewJob.__dataclass_fields__ if name != "warnings"}
    columns |= {"id": parse_job_id(new.id), "state": JobState.RECEIVED, "stage": Stage.RECEIVE}
    try:
        row = transaction.ask(_INSERT, **columns)[0]
    except IntegrityError:
        raise errors.AlreadyExists(f"There is already a segmentation {new.id}.") from None
    note(transaction, new.id, at, EventKind.STATE, JobState.RECEIVED)
    warn(transaction, new.id, at, new.warnings)
    return job_with(row, tuple(new.warnings))


def claim(
    transaction: Transaction, slot: str, at: datetime, lease_until: datetime, prefer: Sequence[str]
) -> Row | None:
    """Take the next job for `slot`, beginning a run; return its row as it then is, or None."""
    warm = {f"warm{number}": version_id for number, version_id in enumerate(prefer)}
    token = secrets.token_hex(16)
    rows = transaction.ask(_claim(len(prefer)), now=at, lease_until=lease_until, token=token, **warm)
    if not rows:
        return None
    row = rows[0]
    transaction.do(_BEGIN_RUN, job=row["id"], attempt=row["attempt"], slot=slot, started_at=at)
    text = f"{JobState.RUNNING}: run {row['attempt']} in {slot}"
    note(transaction, row["id"], at, EventKind.STATE, text)
    return row


@cache
def _claim(preferred: int) -> Prepared:
    """Return the one statement that picks the next job and takes it, where so many models are preferred."""
    check_transition(JobState.QUEUED, JobState.RUNNING)
    now = value(JobTable.started_at, "now")
    candidate = JobTable.alias()
    submitted = candidate.submitted_at
    if preferred:
        head_start = Value(WARM_HEAD_START // MICROSECOND, converter=False)
        warm = candidate.model_id.in_([value(JobTable.model_id, f"warm{n}") for n in range(preferred)])
        submitted = Case(None, [(warm, candidate.submitted_at - head_start)], candidate.submitted_at)
    waiting = candidate.select(candidate.id).where(
        candidate.state == JobState.QUEUED, candidate.deadline_at > now
    )
    first = waiting.order_by(submitted, candidate.id).limit(1)
    update = (
        JobTable.update(
            state=JobState.RUNNING,
            stage=Stage.LOAD,
            attempt=JobTable.attempt + 1,
            token=value(JobTable.token),
            lease_until=value(JobTable.lease_until),
            started_at=fn.COALESCE(JobTable.started_at, now),
        )
        .where(JobTable.state == JobState.QUEUED, JobTable.id == first)
        .returning(JobTable)
    )
    return Prepared(update)


def advance(
    transaction: Transaction, job_id: str, change: Change, at: datetime, lease: Lease | None = None
) -> Row:
    """Make `change` on the job, provided that it is in one of the states before and, if given, under `lease`.

    Returns the job's row as it then is.

    Raises:
        StaleLease: it is not; nothing has changed.
    """
    for state in change.before:
        check_transition(state, change.after)
    statement = _advance(frozenset(change.before), frozenset(change.columns), lease is not None)
    owner = ownership(lease) if lease else {"id": job_id}
    rows = transaction.ask(statement, after=change.after, **owner, **change.columns)
    if not rows:
        raise stale(job_id, lease)
    if change.outcome:
        _end_run(transaction, job_id, change, at)
    note(transaction, job_id, at, EventKind.STATE, _sentence(change))
    return rows[0]


@cache
def _advance(before: frozenset[JobState], columns: frozenset[str], leased: bool) -> Prepared:
    """Return the statement of a change; its slots are the new state `after`, `columns`, and the job."""
    changed = {name: value(getattr(JobTable, name)) for name in columns}
    after = value(JobTable.state, "after")
    update = JobTable.update(state=after, token="", lease_until=None, **changed)
    owned = OWNED if leased else (JobTable.id == value(JobTable.id),)
    return Prepared(update.where(*owned, JobTable.state.in_(before)).returning(JobTable))


def ownership(lease: Lease) -> dict[str, Any]:
    """Return what fills the slots of OWNED."""
    return {"id": lease.job_id, "owned_attempt": lease.attempt, "owned_token": lease.token}


def stale(job_id: str, lease: Lease | None) -> errors.StaleLease:
    """Return the error of a change that came too late."""
    if lease is None:
        return errors.StaleLease(f"Job {job_id} has gone on to another state.")
    return errors.StaleLease(f"Run {lease.attempt} of job {lease.job_id} does not own it any more.")


def note(transaction: Transaction, job_id: str, at: datetime, kind: str, text: str) -> None:
    """Add a line to the job's timeline."""
    transaction.do(_NOTE, job=job_id, at=at, kind=kind, text=text)


def warn(transaction: Transaction, job_id: str, at: datetime, warnings: Iterable[str]) -> None:
    """Add each of `warnings` to the job's timeline."""
    for text in warnings:
        note(transaction, job_id, at, EventKind.WARNING, text)


def keep_volumes(transaction: Transaction, lease: Lease, volumes_ml: Mapping[str, float]) -> None:
    """Note the masks' volumes, by StructureID, of the run that `lease` allowed."""
    for structure_id, volume_ml in volumes_ml.items():
        measured = {"structure_id": structure_id, "volume_ml": volume_ml}
        transaction.do(_KEEP_VOLUME, job=lease.job_id, attempt=lease.attempt, **measured)


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
    text = f"{reason} That was run {cuts} to end so; the job is not tried again."
    change = failed({JobState.RUNNING}, at, errors.JobFailure.error_code, text)
    return replace(change, outcome=RunOutcome.CUT_SHORT)


def _end_run(transaction: Transaction, job_id: str, change: Change, at: datetime) -> None:
    result = change.result or _NOTHING
    measured = {"peak_memory_bytes": result.peak_memory_bytes, "voxels": result.voxels}
    measured |= times_row(result.times)
    ended = {"ended_at": at, "outcome": change.outcome, "reason": change.detail}
    transaction.do(_END_RUN, job=job_id, **ended, **measured)


def _sentence(change: Change) -> str:
    return f"{change.after}: {change.detail}" if change.detail else str(change.after)
