"""What a small job asks the database of its version's past: nothing, and yet the past is the present one."""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from segint_grpc.domain.jobs import JobState
from segint_grpc.service import housekeeping, outlook
from segint_grpc.service.job_administration import JobAdministration
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import PATIENCE_S, SAMPLE, SHAPE_KJI, CoreBench, ShiftedClock, core_bench, scan
from tests.fakes.past_runs import add_runs

pytestmark = pytest.mark.asyncio(loop_scope="module")

MONTH = timedelta(days=30)
VOXELS = math.prod(SHAPE_KJI)


def about_runs(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Those of the logged statements that concern runs and volumes."""
    statements = [record.getMessage().lstrip("('\"") for record in caplog.records]
    return [text for text in statements if '"run"' in text or '"volume"' in text]


async def run_one(core: CoreBench, seed: int) -> str:
    job = await core.ended((await core.submit(scan(seed))).id)
    return job.id


async def is_known(core: CoreBench) -> bool:
    history = core.services.context.history
    return bool(await history.volumes_ml(SAMPLE)) and await history.times(SAMPLE) is not None


async def test_a_job_of_a_known_version_reads_no_earlier_runs(
    pool: WorkerPool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with core_bench(pool, tmp_path) as core:
        await run_one(core, 1)
        assert await is_known(core)
        with caplog.at_level(logging.DEBUG, "peewee"):
            await run_one(core, 2)
    assert {statement.split()[0] for statement in about_runs(caplog)} == {"INSERT", "UPDATE"}


async def test_a_job_that_comes_is_told_its_end_without_a_look_at_all_jobs(
    pool: WorkerPool, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "FORECAST_S", PATIENCE_S)
    async with core_bench(pool, tmp_path) as core:
        model = await core.model("Steady", core.gate().wait)
        add_runs(core.store, model, [(VOXELS, 100.0)] * 8)
        await core.until((await core.submit(scan(1), model)).id, state=JobState.RUNNING)
        views = []
        with caplog.at_level(logging.DEBUG, "peewee"):
            for seed in (2, 3, 4):
                job = await core.submit(scan(seed), model)
                views.append(await core.services.jobs.get(job.id))
        core.gate().open()
    ends_s = [view.remaining.expected_s for view in views if view.remaining]
    assert [later - end for end, later in pairwise(ends_s)] == pytest.approx([100.0] * 2, rel=0.01)
    looks = [record for record in caplog.records if 'ORDER BY "t1"."submitted_at"' in record.getMessage()]
    assert len(looks) <= 1


async def test_a_deleted_job_teaches_nothing_any_more(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        job_id = await run_one(core, 1)
        assert await is_known(core)
        services = core.services
        administration = JobAdministration(
            services.context, services.jobs, services.submissions, services.dispatcher, services.outlook
        )
        await administration.delete(job_id)
        assert not await is_known(core)


async def test_nor_does_one_whose_row_is_past_its_lifetime(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "INTERVAL_S", 0.02)
    clock = ShiftedClock()
    async with core_bench(pool, tmp_path, clock=clock, row_retention_s=MONTH.total_seconds()) as core:
        await run_one(core, 1)
        assert await is_known(core)
        clock.ahead = MONTH + timedelta(minutes=1)
        async with asyncio.timeout(PATIENCE_S):
            while await is_known(core):
                await core.services.context.hop.run(core.store.jobs.unfinished_count)
