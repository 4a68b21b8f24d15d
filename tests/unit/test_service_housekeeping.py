"""Deadlines, retention, and what a server finds when it starts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState, new_job_id
from segint_grpc.service import housekeeping
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import CoreBench, ShiftedClock, core_bench, eventually, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL_S", 0.02)


def body_of(core: CoreBench, job_id: str) -> Path:
    return core.store.media.body_path(job_id)


async def test_a_body_goes_when_its_job_has_succeeded_and_the_masks_after_their_retention(
    pool: WorkerPool, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, clock=clock) as core:
        job = await core.submit(scan())
        await core.ended(job.id)
        await eventually(lambda: core.files() == [f"{job.id}.pb"])
        async with core.services.jobs.result(job.id) as (finished, _):
            assert finished.id == job.id
        clock.ahead = timedelta(days=7, minutes=1)
        await eventually(lambda: core.files() == [])
        with pytest.raises(errors.NoResult, match="retention"):
            async with core.services.jobs.result(job.id):
                pass
        assert core.store.jobs.get(job.id).state is JobState.SUCCEEDED


async def test_the_body_of_a_failed_job_stays_for_a_day(pool: WorkerPool, tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, clock=clock, job_deadline_s=1e6) as core:
        job = await core.submit(scan(), await core.model("Broken", "raise ValueError"))
        assert (await core.ended(job.id)).state is JobState.FAILED
        clock.ahead = timedelta(hours=23)
        other = await core.submit(scan())
        await core.ended(other.id)
        await eventually(lambda: not body_of(core, other.id).exists())
        assert body_of(core, job.id).exists()
        clock.ahead = timedelta(hours=25)
        await eventually(lambda: not body_of(core, job.id).exists())


async def test_the_body_of_a_cancelled_job_goes_at_once(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.services.jobs.cancel(job.id)
        await eventually(lambda: core.files() == [])


async def test_a_job_that_waits_beyond_its_deadline_fails_and_its_voxels_go(
    pool: WorkerPool, tmp_path: Path
) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, slots=0, clock=clock) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        clock.ahead = timedelta(minutes=20)
        job = await core.ended(job.id)
        assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
        await eventually(lambda: core.files() == [f"{job.id}.pb"])


async def test_a_run_that_goes_beyond_its_deadline_fails_and_ends(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, job_deadline_s=2) as core:
        stuck = await core.model("Stuck", "ctypes.PyDLL(None).sleep(600)")
        job = await core.ended((await core.submit(scan(), stuck)).id)
        assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
        assert "2 s" in job.error_text
        assert (await core.ended((await core.submit(scan())).id)).state is JobState.SUCCEEDED


async def test_a_job_that_is_given_up_as_lost_leaves_no_voxels(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, slots=0, clock=clock, attempts_max=1) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        assert core.store.jobs.claim("a slot that dies", 30)
        clock.ahead = timedelta(seconds=31)
        assert (await core.ended(job.id)).state is JobState.FAILED
        await eventually(lambda: core.files() == [f"{job.id}.pb"])


async def test_a_file_that_cannot_be_removed_does_not_keep_the_others(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        jobs = [await core.submit(scan(seed)) for seed in (1, 2)]
        for job in jobs:
            await core.until(job.id, state=JobState.QUEUED)
        stubborn = body_of(core, jobs[0].id)
        stubborn.unlink()
        stubborn.mkdir()
        for job in jobs:
            await core.services.jobs.cancel(job.id)
        await eventually(lambda: not body_of(core, jobs[1].id).exists())


async def test_a_start_takes_up_what_was_left_and_sweeps_what_nobody_knows(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        left = [await core.submit(scan(seed)) for seed in range(3)]
        for job in left:
            await core.until(job.id, state=JobState.QUEUED)
        assert core.store.jobs.claim("slot-0", 30)
    orphans = [body_of(core, new_job_id()), core.store.media.result_path(new_job_id())]
    orphans += [core.home.bodies / ".0123.part", core.home.voxels / f"{new_job_id()}-0.raw"]
    for orphan in orphans:
        orphan.touch()
    async with core_bench(pool, tmp_path) as core:
        assert [(await core.ended(job.id)).state for job in left] == [JobState.SUCCEEDED] * 3
        assert not any(orphan.exists() for orphan in orphans)
