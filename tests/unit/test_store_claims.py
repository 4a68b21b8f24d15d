"""Claims and finishes when many want them at once: threads of one store, and processes with their own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState, Lease
from segint_grpc.home import Home
from segint_grpc.store import Store
from tests.fakes.stores import (
    LEASE_S,
    START,
    Clock,
    a_result,
    contradictions,
    make_home,
    new_job,
    queued_job,
    running_job,
)

JOBS = 24
CLAIMERS = 6


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    with Store(home, Clock()) as store:
        yield store
    assert contradictions(home) == []


def fill(store: Store) -> set[str]:
    return {queued_job(store, START + timedelta(seconds=number)).id for number in range(JOBS)}


def claim_all(store: Store, slot: str) -> list[str]:
    """Claim until nothing waits, finishing each job; return their ids."""
    claimed = []
    while got := store.jobs.claim(slot, LEASE_S):
        job, lease = got
        store.jobs.report(lease, 50, "infer")
        store.jobs.succeed(lease, a_result())
        claimed.append(job.id)
    return claimed


def claim_all_in_a_process(path: Path, slot: str) -> list[str]:
    with Store(Home(path), Clock()) as store:
        return claim_all(store, slot)


def test_threads_that_claim_at_once_get_each_job_once(store: Store) -> None:
    jobs = fill(store)
    start = threading.Barrier(CLAIMERS)

    def work(number: int) -> list[str]:
        start.wait()
        return claim_all(store, f"slot-{number}")

    with ThreadPoolExecutor(CLAIMERS) as threads:
        claimed = [job_id for ids in threads.map(work, range(CLAIMERS)) for job_id in ids]
    assert sorted(claimed) == sorted(jobs)
    assert {run.outcome for job_id in jobs for run in store.jobs.runs(job_id)} == {"succeeded"}


def test_processes_that_claim_at_once_get_each_job_once(home: Home, store: Store) -> None:
    jobs = fill(store)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes:
        slots = [f"slot-{number}" for number in range(2)]
        claimed = processes.map(claim_all_in_a_process, [home.path] * 2, slots)
        assert sorted(job_id for ids in claimed for job_id in ids) == sorted(jobs)


def test_one_of_many_finishes_of_a_run_counts(store: Store) -> None:
    job, lease = running_job(store)
    start = threading.Barrier(CLAIMERS)

    def finish(number: int) -> str:
        start.wait()
        try:
            return str(store.jobs.succeed(lease, a_result(size_bytes=number)).result_bytes)
        except errors.StaleLease:
            return "stale"

    with ThreadPoolExecutor(CLAIMERS) as threads:
        outcomes = list(threads.map(finish, range(CLAIMERS)))
    assert outcomes.count("stale") == CLAIMERS - 1
    assert str(store.jobs.get(job.id).result_bytes) in outcomes


def test_a_job_cancelled_while_it_finishes_is_either_and_never_both(store: Store) -> None:
    for _ in range(10):
        job, lease = running_job(store)
        start = threading.Barrier(2)

        def finish(lease: Lease = lease, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                store.jobs.succeed(lease, a_result())
            except errors.StaleLease:
                return False
            return True

        with ThreadPoolExecutor(1) as thread:
            finishing = thread.submit(finish)
            start.wait()
            cancelled = store.jobs.cancel(job.id)
            finished = finishing.result()
        assert store.jobs.get(job.id) == cancelled
        assert cancelled.state is (JobState.SUCCEEDED if finished else JobState.CANCELLED)
        assert [event.text for event in store.jobs.events(job.id)][3:] == [str(cancelled.state)]


def test_one_body_posted_many_times_at_once_is_one_job(store: Store) -> None:
    start = threading.Barrier(CLAIMERS)

    def post(_: int) -> tuple[str, bool]:
        start.wait()
        job, repeated = store.jobs.receive(new_job(body_sha256="a" * 64), 100)
        return job.id, repeated

    with ThreadPoolExecutor(CLAIMERS) as threads:
        answers = list(threads.map(post, range(CLAIMERS)))
    assert len({job_id for job_id, _ in answers}) == 1
    assert [repeated for _, repeated in answers].count(False) == 1


def test_the_queue_limit_holds_when_many_post_at_once(store: Store) -> None:
    start = threading.Barrier(CLAIMERS)

    def post(_: int) -> bool:
        start.wait()
        try:
            store.jobs.receive(new_job(), 4)
        except errors.QueueFull:
            return False
        return True

    with ThreadPoolExecutor(CLAIMERS) as threads:
        assert list(threads.map(post, range(CLAIMERS))).count(True) == 4
    assert len(store.jobs.unfinished()) == 4


def test_a_reader_waits_for_no_writer(home: Home, store: Store) -> None:
    job = queued_job(store)
    with store.jobs._database.write(), ThreadPoolExecutor(1) as reader:
        assert reader.submit(store.jobs.get, job.id).result(timeout=5) == job
