"""Jobs from their acceptance to their end. Each method is one transaction and leaves a whole story behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from segint_grpc import errors
from segint_grpc.domain.audit import Entry
from segint_grpc.domain.jobs import UNFINISHED, Job, JobState, Lease, NewJob, Result, Stage
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.store import audit_chain, lifecycle
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.job_queries import JobReader, count_unfinished, count_unfinished_of, find_job
from segint_grpc.store.job_rows import job_of
from segint_grpc.store.lifecycle import Change
from segint_grpc.store.loads import keep_load
from segint_grpc.store.prepared import Prepared, slot
from segint_grpc.store.schema import JobTable

PERCENT_MAX_RUNNING = 99
WAITING = (JobState.RECEIVED, JobState.QUEUED)

_OWNED = Prepared(JobTable.select().where(*lifecycle.OWNED))
_RENEW = Prepared(JobTable.update(lease_until=slot(JobTable.lease_until)).where(*lifecycle.OWNED))
_REPORT = Prepared(
    JobTable.update(percent=slot(JobTable.percent), stage=slot(JobTable.stage)).where(
        JobTable.id == slot(JobTable.id)
    )
)
_SAME_POST = Prepared(
    JobTable.select().where(
        JobTable.state.in_(UNFINISHED),
        JobTable.model_id == slot(JobTable.model_id),
        JobTable.caller == slot(JobTable.caller),
        JobTable.owner == slot(JobTable.owner),
        JobTable.body_sha256 == slot(JobTable.body_sha256),
    )
)


class JobStore(JobReader):
    """The jobs. `StaleLease` means that the job has gone on without the caller; nothing has changed then."""

    def receive(
        self, new: NewJob, queue_max: int, owner_max: int = 0, entry: Entry | None = None
    ) -> tuple[Job, bool]:
        """Accept a job whose body is on disk, and return it with False.

        The same body from the same caller and owner for the same model, while an earlier job of theirs is
        unfinished, is a repeated post: that job is returned with True, and no other is stored. Either is
        recorded as `entry` on that job, in the same transaction.

        Raises:
            QueueFull: `queue_max` jobs are unfinished, or `owner_max` (0: any number) of the owner's.
            AlreadyExists: there is a job of that id.
        """
        with self._database.write() as transaction:
            earlier = _same_post(transaction, new)
            if earlier:
                _record(transaction, entry, earlier.id)
                return earlier, True
            _check_room(transaction, queue_max)
            _check_share(transaction, new.owner, owner_max)
            job = lifecycle.insert(transaction, new, self._now())
            _record(transaction, entry, job.id)
            return job, False

    def posted_before(self, new: NewJob) -> bool:
        """Return whether `new` is a repeated post, see `receive`."""
        with self._database.read() as transaction:
            return _same_post(transaction, new) is not None

    def queue(self, job_id: str, warnings: Sequence[str] = ()) -> Job:
        """Let a received job wait for a slot, its voxels checked with `warnings`. Raises StaleLease."""
        change = Change({JobState.RECEIVED}, JobState.QUEUED, {"stage": Stage.QUEUE})
        with self._database.write(durable=False) as transaction:
            row = lifecycle.advance(transaction, job_id, change, self._now())
            lifecycle.warn(transaction, job_id, self._now(), warnings)
            return job_of(transaction, row)

    def claim(self, slot: str, lease_s: float, prefer: Sequence[str] = ()) -> tuple[Job, Lease] | None:
        """Give `slot` the job that has waited longest, or None when none waits that is within its deadline.

        A job of a model in `prefer` (those that are loaded) goes before one that came up to
        `lifecycle.WARM_HEAD_START` earlier.
        """
        now = self._now()
        lease_until = now + timedelta(seconds=lease_s)
        with self._database.write(durable=False) as transaction:
            row = lifecycle.claim(transaction, slot, now, lease_until, prefer)
            return (job_of(transaction, row), _lease(row)) if row else None

    def renew(self, lease: Lease, lease_s: float) -> None:
        """Keep the job for `lease_s` from now. Raises StaleLease."""
        lease_until = self._now() + timedelta(seconds=lease_s)
        with self._database.write(durable=False) as transaction:
            if transaction.do(_RENEW, **lifecycle.ownership(lease), lease_until=lease_until) != 1:
                raise lifecycle.stale(lease.job_id, lease)

    def report(self, lease: Lease, percent: int, stage: str) -> Job:
        """Note how far the run is; the percentage never falls and stays under 100. Raises StaleLease."""
        with self._database.write(durable=False) as transaction:
            before = _owned(transaction, lease)
            shown = max(before.percent, min(percent, PERCENT_MAX_RUNNING))
            if (shown, stage) == (before.percent, before.stage):
                return before
            if stage != before.stage:
                lifecycle.note(transaction, before.id, self._now(), EventKind.STAGE, stage)
            transaction.do(_REPORT, id=before.id, percent=shown, stage=stage)
            return replace(before, percent=shown, stage=stage)

    def succeed(self, lease: Lease, result: Result) -> Job:
        """End a running job whose result is on disk. Raises StaleLease."""
        now = self._now()
        columns = {
            "percent": 100,
            "stage": Stage.DONE,
            "finished_at": now,
            "result_bytes": result.size_bytes,
            "result_sha256": result.sha256,
            "result_kept": True,
        }
        change = Change(
            {JobState.RUNNING},
            JobState.SUCCEEDED,
            columns,
            outcome=RunOutcome.SUCCEEDED,
            result=result,
        )
        with self._database.write() as transaction:
            row = lifecycle.advance(transaction, lease.job_id, change, now, lease)
            lifecycle.keep_volumes(transaction, lease, result.volumes_ml)
            lifecycle.warn(transaction, lease.job_id, now, result.warnings)
            keep_load(transaction, row["model_id"], result.load, now)
            return job_of(transaction, row)

    def fail(self, lease: Lease, code: str, text: str) -> Job:
        """End a running job with an API error code and a sentence for its owner. Raises StaleLease."""
        now = self._now()
        change = lifecycle.failed({JobState.RUNNING}, now, code, text)
        with self._database.write() as transaction:
            return _advance(transaction, lease, change, now)

    def fail_unclaimed(self, job_id: str, code: str, text: str) -> Job:
        """End a job that no slot has, as `fail`. Raises StaleLease when it runs or has ended."""
        now = self._now()
        change = lifecycle.failed(WAITING, now, code, text)
        with self._database.write() as transaction:
            return job_of(transaction, lifecycle.advance(transaction, job_id, change, now))

    def cut_short(self, lease: Lease, reason: str, attempts_max: int) -> Job:
        """Take back a job whose run was ended from outside, by no fault of its own. Raises StaleLease.

        It goes back into the queue, or fails once `attempts_max` of its runs have ended so. `reason` is
        a sentence for the job's owner.
        """
        now = self._now()
        with self._database.write() as transaction:
            change = lifecycle.cut_short(transaction, lease.job_id, reason, attempts_max, now)
            return _advance(transaction, lease, change, now)

    def release(self, lease: Lease) -> Job:
        """Put a running job back because the server stops, not held against it. Raises StaleLease."""
        change = lifecycle.requeued(RunOutcome.RELEASED, "The server stopped.")
        with self._database.write() as transaction:
            return _advance(transaction, lease, change, self._now())

    def cancel(self, job_id: str, model_id: str = "") -> Job:
        """End a job for its owner; one that has ended stays as it is. Raises UnknownJob, as `get`."""
        now = self._now()
        with self._database.write() as transaction:
            job = find_job(transaction, job_id, model_id)
            if job.finished:
                return job
            columns = {"finished_at": now}
            change = Change({job.state}, JobState.CANCELLED, columns, outcome=RunOutcome.CANCELLED)
            return job_of(transaction, lifecycle.advance(transaction, job.id, change, now))

    def recover(self, attempts_max: int) -> list[Job]:
        """Take back every running job at start-up, when nothing can be running; each as `cut_short`."""
        return self._take_back(attempts_max, "The server ended while the job ran.")

    def reclaim(self, attempts_max: int, as_of: datetime | None = None) -> list[Job]:
        """Take back the running jobs whose lease had run out by `as_of` (default: now), as `cut_short`."""
        lapsed_by = as_of or self._now()
        return self._take_back(attempts_max, "The slot was not heard of any more.", lapsed_by)

    def expire(self) -> list[Job]:
        """Fail the jobs that no slot has taken before their deadline; return them."""
        now = self._now()
        overdue = JobTable.select().where(JobTable.state.in_(WAITING), JobTable.deadline_at <= now)
        failure = errors.DeadlineExceeded("It did not get a worker before its deadline; post the scan again.")
        change = lifecycle.failed(WAITING, now, failure.error_code, failure.message)
        with self._database.write() as transaction:
            job_ids = [row["id"] for row in transaction.rows(overdue)]
            rows = [lifecycle.advance(transaction, job_id, change, now) for job_id in job_ids]
            return [job_of(transaction, row) for row in rows]

    def delete(self, job_id: str) -> None:
        """Delete an ended job whose files are gone, with its runs, timeline and opinions.

        Raises:
            UnknownJob: there is no such job.
            StillProcessing: it has not ended.
        """
        with self._database.write() as transaction:
            job = find_job(transaction, job_id)
            if not job.finished:
                raise errors.StillProcessing
            transaction.change(JobTable.delete().where(JobTable.id == job.id))

    def note(self, job_id: str, kind: str, text: str) -> None:
        """Add a line to a job's timeline; one of the kind "warning" becomes a warning. Raises UnknownJob."""
        with self._database.write() as transaction:
            job = find_job(transaction, job_id)
            lifecycle.note(transaction, job.id, self._now(), kind, text)

    def _take_back(self, attempts_max: int, reason: str, lapsed_by: datetime | None = None) -> list[Job]:
        query = JobTable.select(JobTable.id).where(JobTable.state == JobState.RUNNING)
        if lapsed_by:
            query = query.where(JobTable.lease_until <= lapsed_by)
        with self._database.write() as transaction:
            job_ids = [row["id"] for row in transaction.rows(query.order_by(JobTable.submitted_at))]
            return [self._cut_short(transaction, job_id, reason, attempts_max) for job_id in job_ids]

    def _cut_short(self, transaction: Transaction, job_id: str, reason: str, attempts_max: int) -> Job:
        now = self._now()
        change = lifecycle.cut_short(transaction, job_id, reason, attempts_max, now)
        return job_of(transaction, lifecycle.advance(transaction, job_id, change, now))


def _same_post(transaction: Transaction, new: NewJob) -> Job | None:
    names = ("model_id", "caller", "owner", "body_sha256")
    post = {name: getattr(new, name) for name in names}
    return next((job_of(transaction, row) for row in transaction.ask(_SAME_POST, **post)), None)


def _record(transaction: Transaction, entry: Entry | None, job_id: str) -> None:
    if entry:
        audit_chain.append(transaction, [replace(entry, object_id=job_id)])


def _check_room(transaction: Transaction, queue_max: int) -> None:
    unfinished = count_unfinished(transaction)
    if unfinished >= queue_max:
        raise errors.QueueFull(
            f"The queue is full: {unfinished} segmentations are unfinished, the limit is {queue_max}; "
            "try again later."
        )


def _check_share(transaction: Transaction, owner: str, owner_max: int) -> None:
    if owner_max and count_unfinished_of(transaction, owner) >= owner_max:
        raise errors.QueueFull(
            f"{owner_max} segmentations of this token are unfinished, the most that it may have at a time; "
            "try again later."
        )


def _lease(row: Row) -> Lease:
    return Lease(row["id"], row["attempt"], row["token"])


def _owned(transaction: Transaction, lease: Lease) -> Job:
    rows = transaction.ask(_OWNED, **lifecycle.ownership(lease))
    if not rows:
        raise lifecycle.stale(lease.job_id, lease)
    return job_of(transaction, rows[0])


def _advance(transaction: Transaction, lease: Lease, change: Change, at: datetime) -> Job:
    return job_of(transaction, lifecycle.advance(transaction, lease.job_id, change, at, lease))
