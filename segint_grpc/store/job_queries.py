"""What can be asked about jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from peewee import fn

from segint_grpc import errors
from segint_grpc.domain.job_lists import JobFilter, JobStory, Place
from segint_grpc.domain.jobs import UNFINISHED, Job, JobState, parse_job_id
from segint_grpc.domain.timeline import Event, EventKind, Run
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.job_rows import event_of, load_job, load_jobs, run_of
from segint_grpc.store.prepared import Prepared, slot
from segint_grpc.store.schema import EventTable, JobTable, RunTable

_COUNT = JobTable.select(fn.COUNT(JobTable.id).alias("jobs"))
_EARLIER = (JobTable.submitted_at < slot(JobTable.submitted_at)) | (
    (JobTable.submitted_at == slot(JobTable.submitted_at)) & (JobTable.id < slot(JobTable.id))
)
_WAITING = JobTable.state.in_([JobState.RECEIVED, JobState.QUEUED])
_AHEAD = Prepared(_COUNT.where((_WAITING & _EARLIER) | (JobTable.state == JobState.RUNNING)))
_UNFINISHED = Prepared(_COUNT.where(JobTable.state.in_(UNFINISHED)))

_UNFINISHED_OF = Prepared(
    _COUNT.where(JobTable.state.in_(UNFINISHED), JobTable.owner == slot(JobTable.owner))
)


class JobReader:
    """The questions; JobStore adds the changes. `job_id` may be in any spelling of a UUID."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Ask `database`, at the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def get(self, job_id: str, model_id: str = "") -> Job:
        """Return a job; where `model_id` is given, only if it is that model's.

        Raises:
            UnknownJob: there is no such job.
        """
        with self._database.read() as transaction:
            return find_job(transaction, job_id, model_id)

    def jobs_ahead(self, job: Job) -> int:
        """Return how many jobs run, or wait and were submitted earlier, while `job` waits; 0 once it runs."""
        if job.state not in (JobState.RECEIVED, JobState.QUEUED):
            return 0
        with self._database.read() as transaction:
            return int(transaction.ask(_AHEAD, id=job.id, submitted_at=job.submitted_at)[0]["jobs"])

    def known(self, job_ids: Collection[str]) -> list[Job]:
        """Return those of the jobs, named by canonical ids, that are still there."""
        with self._database.read() as transaction:
            return [job for job in map(partial(_job_or_none, transaction), job_ids) if job]

    def unfinished_count(self) -> int:
        """Return how many jobs are unfinished."""
        with self._database.read() as transaction:
            return count_unfinished(transaction)

    def unfinished(self, model_ids: Collection[str] | None = None) -> list[Job]:
        """Return the unfinished jobs, oldest first; where `model_ids` is given, only those models'."""
        query = JobTable.select().where(JobTable.state.in_(UNFINISHED))
        if model_ids is not None:
            query = query.where(JobTable.model_id.in_(list(model_ids)))
        with self._database.read() as transaction:
            return load_jobs(transaction, query.order_by(JobTable.submitted_at, JobTable.id))

    def page(self, wanted: JobFilter, after: Place | None, limit: int) -> list[Job]:
        """Return up to `limit` of the jobs that `wanted` asks for, newest first, from behind `after` on."""
        conditions = [*_conditions(wanted)]
        if after:
            older = JobTable.submitted_at < after.submitted_at
            at_once = (JobTable.submitted_at == after.submitted_at) & (JobTable.id < after.job_id)
            conditions.append(older | at_once)
        query = JobTable.select().order_by(JobTable.submitted_at.desc(), JobTable.id.desc())
        with self._database.read() as transaction:
            return load_jobs(transaction, (query.where(*conditions) if conditions else query).limit(limit))

    def queue_places(self) -> dict[str, int]:
        """Return `jobs_ahead` of every job that waits, by id."""
        waiting = JobTable.select(JobTable.id).where(JobTable.state.in_([JobState.RECEIVED, JobState.QUEUED]))
        running = JobTable.select().where(JobTable.state == JobState.RUNNING)
        with self._database.read() as transaction:
            rows = transaction.rows(waiting.order_by(JobTable.submitted_at, JobTable.id))
            first = transaction.count(running)
        return {row["id"]: first + number for number, row in enumerate(rows)}

    def story(self, job_id: str) -> JobStory:
        """Return a job with its timeline and its runs, all of one moment. Raises UnknownJob."""
        with self._database.read() as transaction:
            job = find_job(transaction, job_id)
            return JobStory(job, tuple(_events(transaction, job.id)), tuple(_runs(transaction, job.id)))

    def counts(self) -> dict[tuple[str, JobState], int]:
        """Return how many jobs there are of each model in each state; what has none is left out."""
        query = JobTable.select(JobTable.model_id, JobTable.state, fn.COUNT(JobTable.id).alias("jobs"))
        with self._database.read() as transaction:
            rows = transaction.rows(query.group_by(JobTable.model_id, JobTable.state))
        return {(row["model_id"], JobState(row["state"])): row["jobs"] for row in rows}

    def events(self, job_id: str) -> list[Event]:
        """Return a job's timeline, oldest first. Raises UnknownJob."""
        with self._database.read() as transaction:
            return _events(transaction, find_job(transaction, job_id).id)

    def runs(self, job_id: str) -> list[Run]:
        """Return a job's runs, oldest first. Raises UnknownJob."""
        with self._database.read() as transaction:
            return _runs(transaction, find_job(transaction, job_id).id)


def find_job(transaction: Transaction, job_id: str, model_id: str = "") -> Job:
    """Return the job that `job_id`, in any spelling, names among the jobs of `model_id`, if that is given.

    Raises:
        UnknownJob: there is none.
    """
    job = load_job(transaction, parse_job_id(job_id))
    if model_id and job.model_id != model_id:
        raise errors.UnknownJob
    return job


def count_unfinished(transaction: Transaction) -> int:
    """Return how many jobs are unfinished."""
    return int(transaction.ask(_UNFINISHED)[0]["jobs"])


def count_unfinished_of(transaction: Transaction, owner: str) -> int:
    """Return how many jobs of the principal `owner` are unfinished."""
    return int(transaction.ask(_UNFINISHED_OF, owner=owner)[0]["jobs"])


def _job_or_none(transaction: Transaction, job_id: str) -> Job | None:
    with suppress(errors.UnknownJob):
        return load_job(transaction, job_id)
    return None


def _conditions(wanted: JobFilter) -> Iterator[Any]:
    """Yield what `JobFilter.fits` asks, as the database understands it."""
    if wanted.model_id:
        yield JobTable.model_id == wanted.model_id
    if wanted.states:
        yield JobTable.state.in_(wanted.states)
    if wanted.submitted_from:
        yield JobTable.submitted_at >= wanted.submitted_from
    if wanted.submitted_before:
        yield JobTable.submitted_at < wanted.submitted_before
    if wanted.caller:
        yield JobTable.caller == wanted.caller
    if wanted.with_warnings:
        yield JobTable.id.in_(EventTable.select(EventTable.job).where(EventTable.kind == EventKind.WARNING))


def _events(transaction: Transaction, job_id: str) -> list[Event]:
    query = EventTable.select().where(EventTable.job == job_id).order_by(EventTable.id)
    return [event_of(row) for row in transaction.rows(query)]


def _runs(transaction: Transaction, job_id: str) -> list[Run]:
    query = RunTable.select().where(RunTable.job == job_id).order_by(RunTable.attempt)
    return [run_of(row) for row in transaction.rows(query)]
