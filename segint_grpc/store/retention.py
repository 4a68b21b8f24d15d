"""The two lifetimes: bodies and results go early, a job's row with its runs and opinions late or never.

The caller removes the files first and tells the store afterwards: if it dies in between, the job is due
again, and patient data is never left behind by a row that says it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from segint_grpc.domain.access import SERVER
from segint_grpc.domain.audit import entry_by
from segint_grpc.domain.jobs import UNFINISHED, JobState
from segint_grpc.store import audit_chain
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.schema import JobTable, OpinionTable

BATCH = 500
"""How many jobs are named at a time."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long after a job's end things are kept; rows for ever where `row_s` is 0."""

    failed_body_s: float
    result_s: float
    row_s: float


@dataclass(frozen=True, slots=True)
class Due:
    """Job ids whose time is over: of their posted body, of their result, of their row."""

    bodies: tuple[str, ...]
    results: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Job ids whose body, and whose result, is still there."""

    bodies: frozenset[str]
    results: frozenset[str]


class RetentionStore:
    """What may go, and that it has gone."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Ask `database`, at the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def due(self, retention: Retention) -> Due:
        """Return what is over by `retention`: at most BATCH jobs of each, longest first.

        A body goes at once when its job succeeded or was cancelled. A row waits for its files to go.
        """
        with self._database.read() as transaction:
            return Due(
                bodies=_oldest(transaction, JobTable.body_kept, self._body_over(retention)),
                results=_oldest(transaction, JobTable.result_kept, self._ended(retention.result_s)),
                rows=self._rows_over(transaction, retention.row_s),
            )

    def forget_bodies(self, job_ids: Collection[str]) -> None:
        """Note, and record, that the bodies of these jobs, which have ended, are gone."""
        self._change(JobTable.update(body_kept=False), job_ids, "scan.remove")

    def forget_results(self, job_ids: Collection[str]) -> None:
        """Note, and record, that the results of these jobs, which have ended, are gone."""
        self._change(JobTable.update(result_kept=False), job_ids, "result.remove")

    def delete_rows(self, job_ids: Collection[str]) -> int:
        """Delete these jobs, runs, timelines and opinions included, if their files are gone; say how many."""
        query = JobTable.delete().where(~JobTable.body_kept, ~JobTable.result_kept)
        return self._change(query, job_ids, "job.remove")

    def delete_unlinked_opinions(self, row_s: float) -> int:
        """Delete the opinions on unknown jobs that are older than `row_s`, if not 0; return how many."""
        if not row_s:
            return 0
        query = OpinionTable.delete().where(
            OpinionTable.job.is_null(), OpinionTable.received_at <= self._before(row_s)
        )
        with self._database.write() as transaction:
            count = transaction.change(query)
            if count:
                self._record(transaction, "feedback.remove", "feedback", [""], count=count)
            return count

    def kept(self) -> Kept:
        """Return which jobs' files must be there."""
        with self._database.read() as transaction:
            query = JobTable.select(JobTable.id)
            return Kept(
                bodies=frozenset(_ids(transaction, query.where(JobTable.body_kept))),
                results=frozenset(_ids(transaction, query.where(JobTable.result_kept))),
            )

    def _before(self, seconds: float) -> datetime:
        return self._now() - timedelta(seconds=seconds)

    def _ended(self, seconds: float) -> Any:
        return JobTable.finished_at <= self._before(seconds)

    def _body_over(self, retention: Retention) -> Any:
        useless = JobTable.state.in_([JobState.SUCCEEDED, JobState.CANCELLED])
        return useless | ((JobTable.state == JobState.FAILED) & self._ended(retention.failed_body_s))

    def _rows_over(self, transaction: Transaction, row_s: float) -> tuple[str, ...]:
        if not row_s:
            return ()
        return _oldest(transaction, ~JobTable.body_kept, ~JobTable.result_kept, self._ended(row_s))

    def _change(self, query: Any, job_ids: Collection[str], act: str) -> int:
        if not job_ids:
            return 0
        query = query.where(JobTable.id.in_(list(job_ids)), JobTable.state.not_in(UNFINISHED))
        with self._database.write() as transaction:
            changed = _ids(transaction, query.returning(JobTable.id))
            self._record(transaction, act, "job", changed)
            return len(changed)

    def _record(
        self, transaction: Transaction, act: str, kind: str, ids: Iterable[str], **details: int
    ) -> None:
        """Record what the server does by itself to patient data, or to what was said of it."""
        now = self._now()
        audit_chain.append(
            transaction, [entry_by(SERVER, now, act, kind, object_id, "", **details) for object_id in ids]
        )


def _oldest(transaction: Transaction, *conditions: Any) -> tuple[str, ...]:
    query = JobTable.select(JobTable.id).where(*conditions)
    return _ids(transaction, query.order_by(JobTable.finished_at).limit(BATCH))


def _ids(transaction: Transaction, query: Any) -> tuple[str, ...]:
    return tuple(row["id"] for row in transaction.rows(query))
