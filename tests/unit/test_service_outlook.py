"""How long jobs will take, from their versions' past, their own run and what is before them."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.job_lists import JobFilter
from segint_grpc.domain.jobs import JobState, Stage
from segint_grpc.service import board, outlook
from segint_grpc.service.job_administration import JobAdministration
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import SAMPLE, SHAPE_KJI, CoreBench, core_bench, eventually, scan
from tests.fakes.past_runs import add_runs

pytestmark = pytest.mark.asyncio(loop_scope="module")

VOXELS = SHAPE_KJI[0] * SHAPE_KJI[1] * SHAPE_KJI[2]
USUAL = [(VOXELS, 100.0)] * 8
THREE_SIZES = [(size * VOXELS, size * 100.0) for size in (1, 2, 4) for _ in range(2)]


async def expected_s(core: CoreBench, job_id: str) -> float | None:
    view = await core.services.jobs.get(job_id)
    return view.remaining.expected_s if view.remaining else None


async def test_of_a_version_without_a_past_nothing_is_told(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("New", core.gate().wait.replace("progress(0.5)", "pass"))
        first = await core.submit(scan(1), model)
        second = await core.submit(scan(2), model)
        await core.until(first.id, state=JobState.RUNNING)
        assert await expected_s(core, first.id) is None
        assert await expected_s(core, second.id) is None
        core.gate().open()


async def test_a_first_run_is_judged_by_its_own_pace(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Steady", core.gate().wait)
        job = await core.submit(scan(), model)
        await core.until(job.id, percent=20)
        assert await expected_s(core, job.id) is not None
        core.gate().open()


async def test_a_run_teaches_the_next(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        await core.ended((await core.submit(scan(1))).id)
        (run,) = core.store.statistics.run_times(SAMPLE)
        assert run.voxels == VOXELS
        assert run.times.cold
        assert {Stage.LOAD, Stage.INFER, Stage.ENCODE} <= set(run.times.seconds)
        await core.ended((await core.submit(scan(2))).id)
        assert [run.times.cold for run in core.store.statistics.run_times(SAMPLE)] == [False, True]
        model = await core.services.context.history.times(SAMPLE)
        assert model
        assert model.expect(VOXELS, cold=False).runs == 2


async def test_those_that_wait_are_told_their_place_and_their_time(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Steady", core.gate().wait)
        add_runs(core.store, model, USUAL)
        jobs = [await core.submit(scan(seed), model) for seed in range(3)]
        await core.until(jobs[0].id, state=JobState.RUNNING)
        times_s = [await expected_s(core, job.id) for job in jobs]
        assert times_s[1] is not None
        assert times_s[2] is not None
        assert times_s[2] - times_s[1] == pytest.approx(100, abs=5)
        core.gate().open()


async def test_those_that_wait_hear_that_the_queue_has_moved(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "QUEUE_NEWS_S", 0.01)
    async with core_bench(pool, tmp_path, slots=0) as core:
        jobs = [await core.submit(scan(seed)) for seed in range(3)]
        for job in jobs:
            await core.until(job.id, state=JobState.QUEUED)
        async with aclosing(core.services.jobs.watch(jobs[2].id)) as watch, asyncio.timeout(10):
            assert (await anext(watch)).jobs_ahead == 2
            await core.services.jobs.cancel(jobs[0].id)
            assert (await anext(watch)).jobs_ahead == 1


async def test_who_follows_jobs_hears_that_the_queue_has_moved(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "QUEUE_NEWS_S", 0.01)
    async with core_bench(pool, tmp_path, slots=0) as core:
        running = core.services
        parts = (running.context, running.jobs, running.submissions, running.dispatcher, running.outlook)
        jobs = [await core.submit(scan(seed)) for seed in range(2)]
        for job in jobs:
            await core.until(job.id, state=JobState.QUEUED)
        wanted = JobFilter(states=frozenset({JobState.QUEUED}))
        async with aclosing(JobAdministration(*parts).follow(wanted)) as follower, asyncio.timeout(10):
            places = {view.job.id: view.jobs_ahead for view in await anext(follower)}
            assert places == {jobs[0].id: 0, jobs[1].id: 1}
            await running.jobs.cancel(jobs[0].id)
            while places[jobs[1].id]:
                places |= {view.job.id: view.jobs_ahead for view in await anext(follower)}


async def test_a_percentage_never_falls_when_the_run_begins_again(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        body = f"progress(0.9)\nif os.path.exists({str(tmp_path / 'gate')!r}): return image > 0\n"
        model = await core.model("Twice", f"{body}while True: time.sleep(0.01)")
        job = await core.submit(scan(), model)
        before = await core.until(job.id, percent=80)
        core.gate().open()
        (busy,) = [loaded for loaded in pool.loaded() if loaded.busy]
        os.kill(busy.pid, signal.SIGKILL)
        percents = [view.job.percent async for view in core.services.jobs.watch(job.id)]
        assert percents == sorted(percents)
        assert percents[0] >= before.percent
        assert (await core.ended(job.id)).attempt == 2


async def refusal(core: CoreBench, body: bytes, model: str = SAMPLE) -> errors.SegIntError:
    with pytest.raises(errors.SegIntError) as caught:
        await core.submit(body, model)
    assert core.files() == []
    return caught.value


LARGE = scan(shape_kji=(SHAPE_KJI[0] * 20, *SHAPE_KJI[1:]))


async def test_a_scan_that_takes_longer_than_a_job_may_is_refused_with_both_numbers(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        add_runs(core.store, SAMPLE, THREE_SIZES)
        error = await refusal(core, LARGE)
        assert isinstance(error, errors.TakesTooLong)
        assert "expected to take 33 min, from its last 6 runs; a job has 20 min" in error.message
        assert "job_deadline_s" in error.message


@pytest.mark.parametrize("runs", [THREE_SIZES[:4], USUAL], ids=["few runs", "one size"])
async def test_nothing_is_refused_on_thin_evidence(
    pool: WorkerPool, tmp_path: Path, runs: list[tuple[int, float]]
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        add_runs(core.store, SAMPLE, runs)
        assert await core.submit(LARGE)


async def test_what_would_be_refused_is_taken_where_the_operator_says_so(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0, deadline_check="off") as core:
        add_runs(core.store, SAMPLE, THREE_SIZES)
        assert await core.submit(LARGE)


async def test_a_queue_that_is_too_long_refuses_what_comes_and_keeps_what_came(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "FORECAST_S", 0)
    async with core_bench(pool, tmp_path, job_deadline_s=250) as core:
        model = await core.model("Steady", core.gate().wait.replace("progress(0.5)", "pass"))
        add_runs(core.store, model, USUAL)
        jobs = [await core.submit(scan(seed), model) for seed in range(2)]
        await eventually(lambda: core.services.dispatcher.busy == 1)
        with pytest.raises(errors.QueueTooLong, match="before it are expected to take"):
            await core.submit(scan(2), model)
        assert (await core.submit(scan(1), model)).id == jobs[1].id
        core.gate().open()
