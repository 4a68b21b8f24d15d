"""From durable bodies to voxels, and what becomes of the voxels."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState
from segint_grpc.service import hop
from segint_grpc.service.unpacking import as_job_failure
from segint_grpc.store import database
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import core_bench, eventually, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_job_that_was_only_received_when_the_server_ended_goes_on(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
    with closing(sqlite3.connect(core.home.database)) as connection, connection:
        connection.execute("UPDATE job SET state = 'received'")
        connection.execute("UPDATE event SET text = 'received'")
    async with core_bench(pool, tmp_path) as core:
        assert (await core.ended(job.id)).state is JobState.SUCCEEDED


async def test_voxels_that_are_gone_are_made_again(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
        for path in core.home.voxels.iterdir():
            path.unlink()
        core.services.dispatcher.start(1)
        assert (await core.ended(job.id)).state is JobState.SUCCEEDED


async def test_a_body_that_is_gone_fails_its_job_visibly(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan())
        await core.until(job.id, state=JobState.QUEUED)
    core.store.media.remove_body(job.id)
    async with core_bench(pool, tmp_path) as core:
        job = await core.ended(job.id)
        assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
        assert "post it again" in job.error_text


async def test_a_cancellation_while_voxels_are_made_again_leaves_none(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan(shape_kji=(60, 256, 256)))
        await core.until(job.id, state=JobState.QUEUED)
    async with core_bench(pool, tmp_path) as core:
        await eventually(lambda: any(core.home.voxels.iterdir()))
        await core.services.jobs.cancel(job.id)
        assert not any(core.home.voxels.iterdir())
        await core.ended((await core.submit(scan())).id)
        await eventually(lambda: not any(core.home.voxels.iterdir()))


async def test_a_cancellation_while_a_scan_is_unpacked_leaves_no_voxels(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        jobs = [await core.submit(scan(seed, (40, 128, 128))) for seed in range(6)]
        await asyncio.gather(*(core.services.jobs.cancel(job.id) for job in jobs))
        await eventually(lambda: not any(core.home.voxels.iterdir()))
        other = await core.submit(scan())
        await core.until(other.id, state=JobState.QUEUED)
        assert [path.name for path in core.home.voxels.iterdir()] == [f"{other.id}-0.raw"]


async def test_a_database_that_is_locked_for_a_while_delays_a_job_and_loses_none(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(database.PRAGMAS, "busy_timeout", 10)
    monkeypatch.setattr(hop, "RETRY_S", 0.01)
    async with core_bench(pool, tmp_path, slots=0) as core:
        job = await core.submit(scan(shape_kji=(60, 256, 256)))
        with closing(sqlite3.connect(core.home.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            await eventually(lambda: "tried again" in caplog.text)
            assert core.store.jobs.get(job.id).state is JobState.RECEIVED
            connection.execute("ROLLBACK")
        assert (await core.until(job.id, state=JobState.QUEUED)).state is JobState.QUEUED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UnusableInput("x"), "UnknownClientError"),
        (errors.TooLarge("x"), "UnknownClientError"),
        (errors.Decompression("x"), "DecompressionError"),
        (errors.DiskFull("x"), "InternalError"),
        (errors.Unavailable("x"), "InternalError"),
        (errors.UnknownModel("x"), "InternalError"),
        (OSError(5, "x"), "InternalError"),
        (RuntimeError("patient Doe"), "InternalError"),
    ],
)
async def test_only_what_the_client_sent_is_called_the_client_s_mistake(error: Exception, code: str) -> None:
    failure = as_job_failure(error)
    assert failure.error_code == code
    assert "Doe" not in failure.message
