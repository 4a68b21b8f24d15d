"""Stores in a temporary home, on a clock that the test moves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from segint_grpc.domain.jobs import Job, JobState, Lease, NewJob, Result, new_job_id
from segint_grpc.home import Home
from segint_grpc.store import Store

START = datetime(2026, 3, 1, 8, 30, 0, 123456, tzinfo=UTC)
DEADLINE_S = 1200
LEASE_S = 30


class Clock:
    """Tells a time that only `advance` changes."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


def make_home(folder: Path) -> Home:
    home = Home(folder / "home")
    home.create()
    return home


def new_job(at: datetime = START, **changes: Any) -> NewJob:
    job_id = changes.pop("id", None) or new_job_id()
    facts = {
        "model_id": "Centered Orange Square",
        "caller": "192.0.2.7",
        "body_sha256": job_id.replace("-", "") * 2,
        "body_bytes": 34_000_000,
        "client_version": "Velocity 4.1",
        "request_id": "5d41402abc4b2a76",
        "submitted_at": at,
        "deadline_at": at + timedelta(seconds=DEADLINE_S),
    }
    return NewJob(id=job_id, **(facts | changes))


def queued_job(store: Store, at: datetime = START, **changes: Any) -> Job:
    job, _ = store.jobs.receive(new_job(at, **changes), queue_max=1000)
    return store.jobs.queue(job.id)


def running_job(store: Store, at: datetime = START, **changes: Any) -> tuple[Job, Lease]:
    queued_job(store, at, **changes)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    return claimed


def job_in(store: Store, state: JobState) -> tuple[Job, Lease]:
    """Return a job in `state` and the lease of its run, made up where it never had one."""
    job, _ = store.jobs.receive(new_job(), 1000)
    lease = Lease(job.id, 1, "none")
    if state in (JobState.RECEIVED, JobState.CANCELLED):
        return (store.jobs.cancel(job.id) if state is JobState.CANCELLED else job), lease
    job = store.jobs.queue(job.id)
    if state is JobState.QUEUED:
        return job, lease
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    job, lease = claimed
    if state is JobState.SUCCEEDED:
        job = store.jobs.succeed(lease, a_result())
    if state is JobState.FAILED:
        job = store.jobs.fail(lease, "InternalError", "The model failed.")
    assert job.state is state
    return job, lease


def a_result(**changes: Any) -> Result:
    return Result(**({"size_bytes": 4096, "sha256": "b" * 64} | changes))


def ask(home: Home, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Look at the database past the store."""
    with closing(sqlite3.connect(home.database)) as connection:
        return connection.execute(sql, values).fetchall()


def contradictions(home: Home) -> list[str]:
    """Return what in the database cannot be true at once; nothing after any crash."""
    rules = {
        "damaged": "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check != 'ok'",
        "dangling": "SELECT * FROM pragma_foreign_key_check",
        "a job runs without one open run": """SELECT id FROM job WHERE (state = 'running') !=
            (SELECT COUNT(*) FROM run WHERE job_id = job.id AND ended_at IS NULL)""",
        "runs and attempts differ": """SELECT id FROM job WHERE attempt !=
            (SELECT COUNT(*) FROM run WHERE job_id = job.id)""",
        "a lease without a run": "SELECT id FROM job WHERE (state = 'running') != (token != '')",
        "the timeline tells of another state": """SELECT id FROM job WHERE state !=
            (SELECT substr(text || ':', 1, instr(text || ':', ':') - 1) FROM event
             WHERE job_id = job.id AND kind = 'state' ORDER BY id DESC LIMIT 1)""",
        "an end without a time": """SELECT id FROM job WHERE
            (state IN ('succeeded', 'failed', 'cancelled')) != (finished_at IS NOT NULL)""",
        "a success without a result": """SELECT id FROM job WHERE
            (state = 'succeeded') != (result_bytes IS NOT NULL AND percent = 100)""",
    }
    return [f"{name}: {rows}" for name, sql in rules.items() if (rows := ask(home, sql))]
