"""What can be asked about jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from peewee import fn

from segint_grpc import errors
from segint_grpc.domain.jobs import UNFINISHED, Job, JobState, parse_job_id
from segint_grpc.domain.timeline import Event, Run
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.job_rows import event_of, load_job, load_jobs, run_of
from segint_grpc.store.schema import EventTable, JobTable, RunTable


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
        earlier = (JobTable.submitted_at < job.submitted_at) | (
            (JobTable.submitted_at == job.submitted_at) & (JobTable.id < job.id)
        )
        waiting = JobTable.state.in_([JobState.RECEIVED, JobState.QUEUED])
        query = JobTable.select().where((waiting & earlier) | (JobTable.state == JobState.RUNNING))
        with self._database.read() as transaction:
            return transaction.count(query)

    def unfinished(self, model_ids: Collection[str] | None = None) -> list[Job]:
        """Return the unfinished jobs, oldest first; where `model_ids` is given, only those models'."""
        query = JobTable.select().where(JobTable.state.in_(UNFINISHED))
        if model_ids is not None:
            query = query.where(JobTable.model_id.in_(list(model_ids)))
        with self._database.read() as transaction:
            return load_jobs(transaction, query.order_by(JobTable.submitted_at, JobTable.id))

    def counts(self) -> dict[tuple[str, JobState], int]:
        """Return how many jobs there are of each model in each state; what has none is left out."""
        query = JobTable.select(JobTable.model_id, JobTable.state, fn.COUNT(JobTable.id).alias("jobs"))
        with self._database.read() as transaction:
            rows = transaction.rows(query.group_by(JobTable.model_id, JobTable.state))
        return {(row["model_id"], JobState(row["state"])): row["jobs"] for row in rows}

    def events(self, job_id: str) -> list[Event]:
        """Return a job's timeline, oldest first. Raises UnknownJob."""
        with self._database.read() as transaction:
            job = find_job(transaction, job_id)
            query = EventTable.select().where(EventTable.job == job.id).order_by(EventTable.id)
            return [event_of(row) for row in transaction.rows(query)]

    def runs(self, job_id: str) -> list[Run]:
        """Return a job's runs, oldest first. Raises UnknownJob."""
        with self._database.read() as transaction:
            job = find_job(transaction, job_id)
            query = RunTable.select().where(RunTable.job == job.id).order_by(RunTable.attempt)
            return [run_of(row) for row in transaction.rows(query)]


def find_job(transaction: Transaction, job_id: str, model_id: str = "") -> Job:
    """Return the job that `job_id`, in any spelling, names among the jobs of `model_id`, if that is given.

    Raises:
        UnknownJob: there is none.
    """
    job = load_job(transaction, parse_job_id(job_id))
    if model_id and job.model_id != model_id:
        raise errors.UnknownJob
    return job
