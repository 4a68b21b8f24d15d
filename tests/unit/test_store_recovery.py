"""Runs that do not end by themselves: lost leases, restarts, deadlines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState
from segint_grpc.domain.timeline import RunOutcome
from segint_grpc.home import Home
from segint_grpc.store import Store
from tests.fakes.stores import (
    DEADLINE_S,
    LEASE_S,
    START,
    Clock,
    a_result,
    contradictions,
    job_in,
    make_home,
    queued_job,
    running_job,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def store(home: Home, clock: Clock) -> Iterator[Store]:
    with Store(home, clock) as store:
        yield store
    assert contradictions(home) == []


def test_a_lease_of_an_earlier_run_changes_nothing(store: Store) -> None:
    _, lost = running_job(store)
    store.jobs.cut_short(lost, "It was killed.", 9)
    claimed = store.jobs.claim("slot-1", LEASE_S)
    assert claimed
    job, lease = claimed
    assert (lease.attempt, lease.token != lost.token) == (2, True)
    changes: list[Callable[[], object]] = [
        lambda: store.jobs.succeed(lost, a_result()),
        lambda: store.jobs.report(lost, 99, "encode"),
        lambda: store.jobs.renew(lost, LEASE_S),
        lambda: store.jobs.release(lost),
    ]
    for change in changes:
        with pytest.raises(errors.StaleLease):
            change()
    assert store.jobs.get(job.id) == job


def test_a_run_cut_short_goes_back_to_the_front_and_its_progress_stays(store: Store) -> None:
    job, lease = running_job(store)
    other = queued_job(store, START + timedelta(seconds=1))
    store.jobs.report(lease, 60, "infer")
    back = store.jobs.cut_short(lease, "It was killed.", 2)
    assert (back.state, back.stage, back.percent, back.finished_at) == (JobState.QUEUED, "queue", 60, None)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    again, second = claimed
    assert (again.id, again.attempt, again.percent, again.started_at) == (job.id, 2, 60, START)
    assert store.jobs.report(second, 10, "infer").percent == 60
    assert other.id != job.id


def test_a_job_whose_runs_are_cut_short_too_often_fails(store: Store) -> None:
    job, lease = running_job(store)
    store.jobs.cut_short(lease, "The process was killed.", 2)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    failed = store.jobs.cut_short(claimed[1], "The process was killed.", 2)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "InternalError")
    assert "The process was killed." in failed.error_text
    assert [run.outcome for run in store.jobs.runs(job.id)] == [RunOutcome.CUT_SHORT] * 2


def test_an_orderly_stop_is_not_held_against_a_job(store: Store) -> None:
    job, lease = running_job(store)
    for _ in range(5):
        assert store.jobs.release(lease).state is JobState.QUEUED
        claimed = store.jobs.claim("slot-0", LEASE_S)
        assert claimed
        lease = claimed[1]
    assert store.jobs.cut_short(lease, "It was killed.", 2).state is JobState.QUEUED
    assert [run.outcome for run in store.jobs.runs(job.id)] == [RunOutcome.RELEASED] * 5 + [
        RunOutcome.CUT_SHORT
    ]


def test_at_start_up_every_running_job_is_taken_back(store: Store) -> None:
    running, _ = running_job(store)
    poisonous, lease = running_job(store, START - timedelta(seconds=60))
    store.jobs.cut_short(lease, "It was killed.", 2)
    store.jobs.claim("slot-0", LEASE_S)
    waiting = queued_job(store)
    received, _ = job_in(store, JobState.RECEIVED)
    done, _ = job_in(store, JobState.CANCELLED)
    recovered = {job.id: job.state for job in store.jobs.recover(2)}
    assert recovered == {poisonous.id: JobState.FAILED, running.id: JobState.QUEUED}
    assert {job.id for job in store.jobs.unfinished()} == {running.id, waiting.id, received.id}
    assert store.jobs.get(done.id) == done
    assert store.jobs.recover(2) == []


def test_only_jobs_whose_lease_has_run_out_are_reclaimed(store: Store, clock: Clock) -> None:
    lost, lease = running_job(store)
    clock.advance(LEASE_S - 1)
    kept, heard_of = running_job(store)
    store.jobs.renew(heard_of, LEASE_S)
    clock.advance(1)
    assert [job.id for job in store.jobs.reclaim(2)] == [lost.id]
    with pytest.raises(errors.StaleLease):
        store.jobs.renew(lease, LEASE_S)
    clock.advance(LEASE_S - 2)
    assert store.jobs.reclaim(2) == []
    assert store.jobs.get(kept.id).state is JobState.RUNNING


def test_jobs_that_waited_past_their_deadline_fail_and_running_ones_do_not(
    store: Store, clock: Clock
) -> None:
    running, _ = running_job(store)
    received, _ = job_in(store, JobState.RECEIVED)
    queued = queued_job(store)
    clock.advance(DEADLINE_S - 1)
    assert store.jobs.expire() == []
    clock.advance(1)
    expired = store.jobs.expire()
    assert {job.id for job in expired} == {received.id, queued.id}
    assert {(job.state, job.error_code) for job in expired} == {(JobState.FAILED, "InternalError")}
    assert all("deadline" in job.error_text for job in expired)
    assert store.jobs.get(running.id).state is JobState.RUNNING
    assert store.jobs.expire() == []
