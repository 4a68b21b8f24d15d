"""Runs and their leases: what ends them, and that a slot outlives whatever ends its runs."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc.domain.jobs import JobState
from segint_grpc.domain.timeline import EventKind, RunOutcome
from segint_grpc.service import dispatcher, housekeeping, reports
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import CoreBench, ShiftedClock, core_bench, eventually, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "LEASE_S", 0.6)
    monkeypatch.setattr(housekeeping, "INTERVAL_S", 0.05)


async def test_a_run_that_reports_without_a_pause_keeps_its_lease(
    pool: WorkerPool, tmp_path: Path, short_lease: None
) -> None:
    talk = "for n in range(100):\n    progress(n / 100)\n    time.sleep(0.02)"
    async with core_bench(pool, tmp_path) as core:
        job = await core.submit(scan(), await core.model("Talk", talk))
        job = await core.ended(job.id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


async def test_a_silent_run_keeps_its_lease(pool: WorkerPool, tmp_path: Path, short_lease: None) -> None:
    async with core_bench(pool, tmp_path) as core:
        job = await core.submit(scan(), await core.model("Silent", "time.sleep(1.5)"))
        job = await core.ended(job.id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


async def test_a_run_that_ends_before_its_first_report_tells_its_end_alone(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "FIRST_S", 60)
    async with core_bench(pool, tmp_path) as core:
        job = await core.ended((await core.submit(scan())).id)
        assert (job.state, job.percent) == (JobState.SUCCEEDED, 100)
        assert EventKind.STAGE not in [event.kind for event in core.store.jobs.events(job.id)]


async def test_a_run_that_has_lost_its_job_ends_and_its_slot_serves_the_next(
    pool: WorkerPool, tmp_path: Path, short_lease: None
) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Stuck", core.gate().wait)
        job = await core.submit(scan(), model)
        await core.until(job.id, percent=20)
        core.store.jobs.cancel(job.id)
        assert (await core.ended((await core.submit(scan())).id)).state is JobState.SUCCEEDED


async def test_a_job_cancelled_the_moment_it_is_claimed_does_not_keep_the_slot(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        model = await core.model("Stuck", core.gate().wait)
        job = await core.submit(scan(), model)
        await core.until(job.id, state=JobState.QUEUED)
        core.services.dispatcher.start(1)
        await claimed_unawares(core, job.id)
        core.store.jobs.cancel(job.id)
        await core.services.dispatcher.drop(job)
        assert (await core.ended((await core.submit(scan())).id)).state is JobState.SUCCEEDED
        assert not [name for name in core.files() if name.startswith(f"{job.id}-")]


async def test_a_stop_the_moment_a_job_is_claimed_is_not_held_against_it(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        core.services.dispatcher.start(1)
        await claimed_unawares(core, job.id)
        await core.services.dispatcher.stop()
        assert [run.outcome for run in core.store.jobs.runs(job.id)] == [RunOutcome.RELEASED]


async def test_a_jump_of_the_clock_takes_no_job_from_its_run(
    pool: WorkerPool, tmp_path: Path, short_lease: None
) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, clock=clock) as core:
        gate = core.gate()
        job = await core.submit(scan(), await core.model("Gate", gate.wait))
        for seconds in (40, 80, 120):
            await core.until(job.id, percent=20)
            clock.ahead = timedelta(seconds=seconds)
            await a_round_of_housekeeping(core)
        gate.open()
        job = await core.ended(job.id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)


async def test_a_job_that_was_given_to_another_run_ends_once_and_both_slots_go_on(
    pool: WorkerPool, tmp_path: Path, short_lease: None
) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, slots=2, clock=clock) as core:
        gate = core.gate()
        model = await core.model("Gate", gate.wait)
        job = await core.submit(scan(1), model)
        await core.until(job.id, percent=20)
        clock.ahead = timedelta(seconds=40)
        core.store.jobs.reclaim(2)
        other = await core.submit(scan(2), model)
        for each in (job, other):
            await core.until(each.id, percent=20)
        gate.open()
        assert [(await core.ended(each.id)).state for each in (job, other)] == [JobState.SUCCEEDED] * 2
        assert [run.outcome for run in core.store.jobs.runs(job.id)] == [
            RunOutcome.CUT_SHORT,
            RunOutcome.SUCCEEDED,
        ]
        gate.path.unlink()
        for waiting in [await core.submit(scan(seed), model) for seed in (3, 4)]:
            assert (await core.until(waiting.id, state=JobState.RUNNING)).state is JobState.RUNNING


async def test_what_a_model_says_in_no_known_alphabet_is_still_its_job_s_error(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Babel", "raise ValueError('half \\udcff a letter')")
        job = await core.ended((await core.submit(scan(), model)).id)
        assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
        assert "half ? a letter" in job.error_text


async def test_a_killed_model_process_gives_its_job_a_second_run(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        gate = core.gate()
        job = await core.submit(scan(), await core.model("Gate", gate.wait))
        await core.until(job.id, percent=20)
        gate.open()
        os.kill(next(loaded.pid for loaded in pool.loaded() if loaded.busy), signal.SIGKILL)
        job = await core.ended(job.id)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
        outcomes = [run.outcome for run in core.store.jobs.runs(job.id)]
        assert outcomes == [RunOutcome.CUT_SHORT, RunOutcome.SUCCEEDED]


async def test_a_model_that_is_removed_fails_the_jobs_that_wait_for_it(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan(), await core.model("Gone", "pass"))
        await core.until(job.id, state=JobState.QUEUED)
        core.store.models.remove_family("Gone")
        core.services.dispatcher.start(1)
        job = await core.ended(job.id)
        assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
        assert "Gone" in job.error_text


async def claimed_unawares(core: CoreBench, job_id: str) -> None:
    """Return when the slot's claim is in the database, before the slot itself hears of it."""
    for _ in range(5):
        await asyncio.sleep(0)
    give_up = time.monotonic() + 5
    while core.store.jobs.get(job_id).state is JobState.QUEUED:
        assert time.monotonic() < give_up


async def a_round_of_housekeeping(core: CoreBench) -> None:
    """Return when housekeeping has looked at everything that was there before."""
    job = await core.submit(scan(99), caller=f"{time.monotonic()}")
    await core.services.jobs.cancel(job.id)
    await eventually(lambda: not core.store.media.body_path(job.id).exists())
