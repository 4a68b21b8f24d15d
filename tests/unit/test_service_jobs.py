"""What clients see of their jobs, and what their going away leaves behind."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import SAMPLE, CoreBench, core_bench, eventually, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_watcher_sees_every_step_of_a_job_up_to_its_result(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        job = await core.submit(scan())
        seen = [view.job async for view in core.services.jobs.watch(job.id)]
        percents = [each.percent for each in seen]
        assert percents == sorted(percents)
        assert (seen[-1].state, seen[-1].percent) == (JobState.SUCCEEDED, 100)
        async with core.services.jobs.result(job.id, SAMPLE) as (finished, file):
            assert len(file.read()) == finished.result_bytes


async def test_a_watch_ends_though_the_end_is_told_before_what_came_before_it(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        async with aclosing(core.services.jobs.watch(job.id)) as watch:
            await anext(watch)
            core.store.jobs.cancel(job.id)
            for _ in ("the cancellation", "the queueing, which another thread was late to tell"):
                core.services.context.board.publish(job.id)
            assert [view.job.state async for view in watch] == [JobState.CANCELLED]


async def test_who_watches_everything_sees_jobs_as_they_are_when_told(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        async with aclosing(core.services.jobs.watch_all()) as watch:
            first = await anext(watch)
            assert (first.models, [known.id for known in first.jobs]) == (True, [job.id])
            core.store.jobs.cancel(job.id)
            core.services.context.board.publish(job.id)
            assert [known.state for known in (await anext(watch)).jobs] == [JobState.CANCELLED]
            core.services.context.board.publish_models()
            assert (await anext(watch)).models


async def test_a_cancellation_is_carried_through_when_its_caller_goes_away(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Stuck", core.gate().wait)
        job = await core.submit(scan(), model)
        await core.until(job.id, percent=20)
        async with asyncio.timeout(10):
            watching = asyncio.create_task(core.ended(job.id))
            await abandon_once_cancelled(core, job)
            assert (await watching).state is JobState.CANCELLED
            assert (await core.ended((await core.submit(scan())).id)).state is JobState.SUCCEEDED
        assert not any(loaded.busy for loaded in pool.loaded())


async def test_a_cancelled_job_that_waited_leaves_no_voxels_when_its_caller_goes_away(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        await abandon_once_cancelled(core, job)
        await eventually(lambda: not any(core.home.voxels.iterdir()))


async def test_a_job_that_has_ended_stays_as_it_is_when_cancelled(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        job = await core.submit(scan())
        await core.ended(job.id)
        assert (await core.services.jobs.cancel(job.id)).job.state is JobState.SUCCEEDED
        async with core.services.jobs.result(job.id) as (finished, _):
            assert finished.id == job.id


async def test_a_waiting_job_is_told_how_many_are_before_it(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        jobs = [await core.submit(scan(seed)) for seed in (1, 2, 3)]
        views = [await core.services.jobs.get(job.id) for job in jobs]
        assert [view.jobs_ahead for view in views] == [0, 1, 2]


async def test_a_watch_of_an_unfinished_job_ends_with_an_error_when_the_server_stops(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        waiting = asyncio.create_task(core.ended(job.id))
        await core.until(job.id, state=JobState.QUEUED)
        core.services.context.board.close()
        with pytest.raises(errors.Unavailable):
            await waiting


async def abandon_once_cancelled(core: CoreBench, job: Job) -> None:
    """Cancel `job` as a client that goes away when the store has it and nobody has heard of it."""
    call = asyncio.create_task(core.services.jobs.cancel(job.id))
    await eventually(lambda: core.store.jobs.get(job.id).finished)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
