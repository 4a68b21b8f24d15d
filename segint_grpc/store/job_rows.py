"""Rows of the job tables as the domain's records."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.jobs import RUN_STAGES, Job, JobState, StageTimes
from segint_grpc.domain.timeline import Event, EventKind, Run, RunOutcome
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.prepared import Prepared, slot
from segint_grpc.store.schema import EventTable, JobTable

_ALIKE = (
    "id",
    "model_id",
    "percent",
    "stage",
    "error_code",
    "error_text",
    "caller",
    "owner",
    "request_id",
    "body_sha256",
    "body_bytes",
    "submitted_at",
    "deadline_at",
    "started_at",
    "finished_at",
    "attempt",
    "result_bytes",
    "result_sha256",
    "client_version",
    "body_kept",
    "result_kept",
    "voxels",
    "infer_share",
)
"""The fields of a Job that are columns of the same name and type."""

STAGE_COLUMNS = {stage: f"{stage}_s" for stage in RUN_STAGES}
TIMES_COLUMNS = (*STAGE_COLUMNS.values(), "cold", "runtime_revision")
"""The columns of a run row that hold its StageTimes."""

_JOB = Prepared(JobTable.select().where(JobTable.id == slot(JobTable.id)))
_WARNINGS = Prepared(
    EventTable.select(EventTable.text)
    .where(EventTable.job == slot(EventTable.job), EventTable.kind == EventKind.WARNING)
    .order_by(EventTable.id)
)


def load_job(transaction: Transaction, job_id: str) -> Job:
    """Return the job `job_id`.

    Raises:
        UnknownJob: there is none.
    """
    rows = transaction.ask(_JOB, id=job_id)
    if not rows:
        raise errors.UnknownJob
    return job_of(transaction, rows[0])


def job_of(transaction: Transaction, row: Row) -> Job:
    """Return the job of a whole job row, with the warnings of its timeline."""
    return job_with(row, tuple(event["text"] for event in transaction.ask(_WARNINGS, job=row["id"])))


def load_jobs(transaction: Transaction, query: Any) -> list[Job]:
    """Return the jobs of `query`, a select of whole job rows, in its order."""
    return jobs_of(transaction, transaction.rows(query))


def jobs_of(transaction: Transaction, rows: list[Row]) -> list[Job]:
    """Return the jobs of whole job rows, with the warnings of their timelines."""
    query = EventTable.select(EventTable.job, EventTable.text).order_by(EventTable.id)
    noted = transaction.rows(
        query.where(EventTable.kind == EventKind.WARNING, EventTable.job.in_([row["id"] for row in rows]))
    )
    warnings: dict[str, list[str]] = defaultdict(list)
    for event in noted:
        warnings[event["job"]].append(event["text"])
    return [job_with(row, tuple(warnings[row["id"]])) for row in rows]


def job_with(row: Row, warnings: tuple[str, ...]) -> Job:
    """Return the job of a whole job row and the warnings of its timeline."""
    alike = {name: row[name] for name in _ALIKE}
    return Job(**alike, state=JobState(row["state"]), warnings=warnings)


def times_of(row: Row) -> StageTimes:
    """Return the times of the stages of a whole run row."""
    measured = {stage: row[column] for stage, column in STAGE_COLUMNS.items()}
    seconds = {stage: seconds for stage, seconds in measured.items() if seconds > 0}
    return StageTimes(seconds, row["cold"], row["runtime_revision"])


def times_row(times: StageTimes) -> Row:
    """Return `times` as columns of a run row."""
    seconds = {column: times.seconds.get(stage, 0.0) for stage, column in STAGE_COLUMNS.items()}
    return {**seconds, "cold": times.cold, "runtime_revision": times.revision}


def event_of(row: Row) -> Event:
    """Return the event of a whole event row."""
    return Event(at=row["at"], kind=row["kind"], text=row["text"])


def run_of(row: Row) -> Run:
    """Return the run of a whole run row."""
    names = ("attempt", "slot", "started_at", "ended_at", "reason", "peak_memory_bytes")
    outcome = RunOutcome(row["outcome"]) if row["outcome"] else None
    return Run(**{name: row[name] for name in names}, outcome=outcome)
