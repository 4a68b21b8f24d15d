"""A disk that is full, at each moment of a job: visible, and over when there is room again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState
from segint_grpc.service import hop, housekeeping
from segint_grpc.service.submission import Posting
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import SAMPLE, core_bench, eventually, pieces, scan, small_disk

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("size", [1_001, 4_096, 70_001])
async def test_a_full_disk_refuses_the_scan_and_leaves_nothing(
    pool: WorkerPool, tmp_path: Path, size: int
) -> None:
    body = scan(shape_kji=(40, 128, 128))
    async with core_bench(pool, tmp_path) as core:
        with small_disk(core.home.bodies, len(body) // 2):
            with pytest.raises(errors.DiskFull):
                await core.services.submissions.submit(Posting(SAMPLE, "a", len(body)), pieces(body, size))
            assert core.files() == []
        job = await core.submit(body)
        assert (await core.ended(job.id)).state is JobState.SUCCEEDED


async def test_a_disk_too_full_for_the_voxels_fails_the_job_visibly(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        with small_disk(core.home.voxels, 100_000):
            body, posting = scan(shape_kji=(40, 128, 128)), Posting(SAMPLE, "a")
            job, _ = await core.services.submissions.submit(posting, pieces(body))
            job = await core.ended(job.id)
            assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
            assert "disk" in job.error_text
            assert not list(core.home.voxels.iterdir())


async def test_a_disk_too_full_for_the_masks_fails_the_job_visibly(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        noise = await core.model("Noise", "import numpy; image = numpy.random.randn(*image.shape)")
        with small_disk(core.home.results, 20_000):
            job = await core.ended((await core.submit(scan(shape_kji=(40, 128, 128)), noise)).id)
            assert (job.state, job.error_code) == (JobState.FAILED, "InternalError")
            assert "disk" in job.error_text
            assert not list(core.home.results.iterdir())


@pytest.mark.parametrize("running", [False, True])
async def test_a_home_whose_disk_is_full_for_a_while_goes_on_where_it_was(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    monkeypatch.setattr(hop, "RETRY_S", 0.05)
    monkeypatch.setattr(housekeeping, "INTERVAL_S", 0.05)
    (tmp_path / "home").mkdir()
    filler = tmp_path / "home" / "filler"
    with small_disk(tmp_path / "home", 8_000_000):
        async with core_bench(pool, tmp_path, slots=int(running)) as core:
            gate = core.gate()
            job = await core.submit(scan(), await core.model("Gate", gate.wait))
            await core.until(job.id, percent=20 if running else 0, state=None if running else JobState.QUEUED)
            fill(filler)
            gate.open()
            if not running:
                core.services.dispatcher.start(1)
            with pytest.raises(errors.DiskFull):
                await core.submit(scan(2))
            filler.unlink()
            assert (await core.ended(job.id)).state in (JobState.SUCCEEDED, JobState.FAILED)
            assert (await core.ended((await core.submit(scan(3))).id)).state is JobState.SUCCEEDED
            await eventually(lambda: not any(core.home.voxels.iterdir()))
            assert not list(core.home.bodies.glob(".*"))
            assert not list(core.home.results.glob(".*"))


def fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file:
        for piece in (b"x" * 4096, b"x"):
            with suppress(OSError):
                while True:
                    file.write(piece)
