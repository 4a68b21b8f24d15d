"""Scans on their way in: what is acknowledged is kept, what is refused leaves nothing."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import JobState
from segint_grpc.service.submission import Posting
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import SAMPLE, CoreBench, core_bench, eventually, pieces, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_same_scan_posted_twice_at_the_same_time_is_one_job(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        jobs = await asyncio.gather(*(core.submit(scan()) for _ in range(6)))
        assert len({job.id for job in jobs}) == 1
        await core.until(jobs[0].id, state=JobState.QUEUED)
        assert core.files() == [f"{jobs[0].id}-0.raw", f"{jobs[0].id}.pb"]


async def test_a_scan_whose_job_was_cancelled_is_a_new_job(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        first = await core.submit(scan())
        await core.services.jobs.cancel(first.id)
        assert (await core.submit(scan())).id != first.id


async def test_a_client_that_goes_away_leaves_nothing(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        threads = threading.active_count()
        body = scan(shape_kji=(20, 100, 100))
        posts = [asyncio.create_task(stuck(core, body)) for _ in range(8)]
        await asyncio.sleep(0)
        for post in posts:
            post.cancel()
        await asyncio.gather(*posts, return_exceptions=True)
        assert core.files() == []
        assert core.store.jobs.unfinished() == []
        assert threading.active_count() <= threads + 8


async def stuck(core: CoreBench, body: bytes) -> None:
    """Post `body` but for its end, which never comes."""

    async def chunks() -> AsyncIterator[bytes]:
        async for piece in pieces(body[:-100]):
            yield piece
        await asyncio.Event().wait()

    await core.services.submissions.submit(Posting(SAMPLE, "192.0.2.7", len(body)), chunks())


async def test_a_body_that_does_not_arrive_in_time_is_given_up(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, job_deadline_s=1) as core:
        with pytest.raises(errors.InvalidRequest, match="within 1 s"):
            await stuck(core, scan())
        assert core.files() == []


async def test_scans_that_are_still_arriving_count_towards_the_limit(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0, queue_max=2) as core:
        first = asyncio.create_task(stuck(core, scan(1)))
        await eventually(lambda: core.files() != [])
        await core.submit(scan(2))
        with pytest.raises(errors.QueueFull):
            await core.submit(scan(3))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await core.submit(scan(3))


@pytest.mark.parametrize(
    ("body", "settings", "error"),
    [
        (b"\xff\xff", {}, errors.UnparsableMessage),
        (b"", {}, errors.UnusableInput),
        (scan(), {"upload_max_bytes": 100}, errors.TooLarge),
        (scan(), {"voxels_max": 10}, errors.TooLarge),
        (scan(), {"free_disk_min_bytes": 1 << 60}, errors.DiskFull),
    ],
)
async def test_what_is_refused_leaves_nothing(
    pool: WorkerPool, tmp_path: Path, body: bytes, settings: dict[str, object], error: type[Exception]
) -> None:
    async with core_bench(pool, tmp_path, **settings) as core:  # type: ignore[arg-type]
        with pytest.raises(error):
            await core.submit(body)
        assert core.files() == []
        assert core.store.jobs.counts() == {}


@pytest.mark.parametrize("missing", [1, -1])
async def test_a_body_of_another_length_than_announced_is_refused(
    pool: WorkerPool, tmp_path: Path, missing: int
) -> None:
    async with core_bench(pool, tmp_path) as core:
        posting = Posting(SAMPLE, "192.0.2.7", len(scan()) + missing)
        with pytest.raises(errors.UnparsableMessage, match="announced"):
            await core.services.submissions.submit(posting, pieces(scan(), size=1))
        assert core.files() == []


async def test_empty_chunks_anywhere_change_nothing(pool: WorkerPool, tmp_path: Path) -> None:
    body = scan()

    async def with_empty_chunks() -> AsyncIterator[bytes]:
        async for piece in pieces(body):
            for chunk in (b"", piece, b""):
                yield chunk

    async with core_bench(pool, tmp_path) as core:
        posting = Posting(SAMPLE, "192.0.2.7", len(body))
        job, _ = await core.services.submissions.submit(posting, with_empty_chunks())
        assert (await core.ended(job.id)).state is JobState.SUCCEEDED
        assert job.body_sha256 == hashlib.sha256(body).hexdigest()


async def test_a_body_that_cannot_be_one_is_refused_before_its_end(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        with pytest.raises(errors.UnparsableMessage):
            await stuck(core, b"\xff" * 200)
        assert core.files() == []
