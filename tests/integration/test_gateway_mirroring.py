"""Polls and lists are answered from what the core pushes; whatever was not pushed is asked for."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence

import grpc
import pytest
import pytest_asyncio

from generated.radiomics import Model_pb2
from http_gateway import follower
from tests.fakes.core import FakeJob
from tests.fakes.gateway import JSON, Bench, gateway_bench, job_path, scan

MODELS_PATH = "/api/v2/Model/"
FIXED_PATHS = ["/ping", "/api/ping", "/api/v2/Credits", MODELS_PATH]


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with gateway_bench() as bench:
        await until_told(bench)
        yield bench


async def asks(bench: Bench, path: str) -> int:
    """How often the core is asked for one answer to `path`."""
    before = len(bench.core.request_ids)
    assert (await bench.get(path)).status == 200
    return len(bench.core.request_ids) - before


async def until_told(bench: Bench) -> None:
    """Return once the stream's first message has come: nothing but its effect tells of it."""
    async with asyncio.timeout(10):
        while await asks(bench, MODELS_PATH):
            pass


async def percent_of(bench: Bench, path: str) -> int:
    answer = await bench.get(path)
    assert answer.status == 200, answer.body
    return Model_pb2.SegmentationProgress.FromString(answer.body).Progress


async def until_percent(bench: Bench, job: FakeJob, percent: int) -> None:
    """Return once a poll says `percent`, or more: nothing but the answer tells that news have come."""
    async with asyncio.timeout(10):
        while await percent_of(bench, job_path(job.id)) < percent:
            pass


async def test_models_and_polls_need_no_question_once_the_core_has_told(bench: Bench) -> None:
    job = bench.core.job()
    await job.report(30, "infer")
    await until_percent(bench, job, 30)
    assert [await asks(bench, path) for path in (MODELS_PATH, job_path(job.id))] == [0, 0]


@pytest.mark.parametrize("path", FIXED_PATHS)
@pytest.mark.parametrize("accept", ["application/json", "application/x-protobuf"])
async def test_an_answer_is_the_same_whoever_gives_it(path: str, accept: str) -> None:
    async with gateway_bench() as bench:
        bench.core.feed.may_begin.clear()
        asked = await bench.get(path, Accept=accept)
        bench.core.feed.may_begin.set()
        await until_told(bench)
        known = [await bench.get(path, Accept=accept) for _ in range(2)]
    for answer in known:
        assert (answer.status, answer.body) == (200, asked.body)
        assert answer.headers["Content-Type"] == asked.headers["Content-Type"] == accept
        assert answer.headers["X-Request-Id"] != asked.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/ping", "/api/v2/Credits"])
async def test_the_core_is_asked_once_for_what_never_differs(bench: Bench, path: str) -> None:
    assert [await asks(bench, path) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("path", ["/readyz", "/api/v2/VendorStatus"])
async def test_readiness_and_the_vendor_s_status_are_asked_for_every_time(bench: Bench, path: str) -> None:
    assert (await bench.get(path)).status == 200
    bench.core.failure = (grpc.StatusCode.UNAVAILABLE, "The server is stopping.")
    await bench.core.set_ready(False)
    assert (await bench.get(path)).status == 503


async def test_a_job_that_was_not_pushed_is_asked_for_once(bench: Bench) -> None:
    job = bench.core.job()
    assert [await asks(bench, job_path(job.id)) for _ in range(3)] == [1, 0, 0]


async def test_a_new_job_is_polled_without_a_question(bench: Bench) -> None:
    bench.core.feed.push_job = lambda job: None  # type: ignore[method-assign]  # the core tells of it later
    task = Model_pb2.SegmentationTask.FromString((await bench.post(scan())).body)
    assert await asks(bench, job_path(task.SegmentationID)) == 0
    assert await percent_of(bench, job_path(task.SegmentationID)) == 0


async def test_a_job_that_was_posted_again_is_as_far_as_it_was(bench: Bench) -> None:
    bench.core.feed.push_job = lambda job: None  # type: ignore[method-assign]
    task = Model_pb2.SegmentationTask.FromString((await bench.post(scan())).body)
    await bench.core.jobs[task.SegmentationID].report(60, "infer")
    bench.core.feed.end()
    await until_told(bench)
    assert (await bench.post(scan())).status == 200
    assert await percent_of(bench, job_path(task.SegmentationID)) == 60


async def test_every_spelling_of_an_id_finds_what_was_pushed(bench: Bench) -> None:
    job = bench.core.job()
    await job.report(30, "infer")
    await until_percent(bench, job, 30)
    for job_id in (job.id.upper(), job.id.replace("-", ""), f"%{ord(job.id[0]):x}{job.id[1:]}"):
        assert await asks(bench, job_path(job_id)) == 0
        assert await percent_of(bench, job_path(job_id)) == 30


async def test_another_model_s_job_is_not_told_of_though_it_is_known(bench: Bench) -> None:
    job = bench.core.job()
    await job.report(30, "infer")
    await until_percent(bench, job, 30)
    answer = await bench.get(job_path(job.id, "other"))
    assert (answer.status, answer.error.ErrorMessage) == (400, "Invalid request.")


async def test_new_models_are_listed_as_soon_as_they_are_pushed(bench: Bench) -> None:
    bench.core.offer(Model_pb2.ModelFamily(CanonicalName="second"))
    async with asyncio.timeout(10):
        while b"second" not in (await bench.get(MODELS_PATH, **JSON)).body:
            pass
    assert await asks(bench, MODELS_PATH) == 0


async def test_a_cancelled_job_is_told_at_once(bench: Bench) -> None:
    job = bench.core.job()
    job.on_change = lambda message: None  # the news are late
    assert await percent_of(bench, job_path(job.id)) == 0
    assert (await bench.ask("DELETE", job_path(job.id))).status == 200
    assert json.loads((await bench.get(job_path(job.id), **JSON)).body)["Errors"] == "Cancelled."


async def test_a_poll_is_not_behind_an_event(bench: Bench) -> None:
    job = bench.core.job()
    assert await percent_of(bench, job_path(job.id)) == 0
    job.on_change = lambda message: None  # the news are late
    await job.succeed(b"")
    await bench.get(job_path(job.id, tail="/events"))
    assert await percent_of(bench, job_path(job.id)) == 100


@pytest.mark.parametrize("path", FIXED_PATHS)
async def test_before_the_first_message_everything_is_asked_for(path: str) -> None:
    async with gateway_bench() as bench:
        bench.core.feed.may_begin.clear()
        assert [await asks(bench, path) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("refusal", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED])
async def test_a_core_that_has_no_stream_for_the_gateway_is_asked_for_everything_and_let_be(
    refusal: grpc.StatusCode,
) -> None:
    async with gateway_bench(core_refuses=refusal) as bench:
        job = bench.core.job()
        async with asyncio.timeout(10):
            while not bench.core.feed.asked:
                await bench.get("/ping")
        for path in (*FIXED_PATHS, job_path(job.id)):
            assert [await asks(bench, path) for _ in range(2)] == [1, 1]
        assert bench.core.feed.asked == 1


async def test_a_lost_stream_means_asking_until_it_is_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAUSES_S", (0.01,))
    job = bench.core.job()
    await job.report(30, "infer")
    await until_percent(bench, job, 30)
    bench.core.feed.may_begin.clear()
    bench.core.feed.end()
    async with asyncio.timeout(10):
        while not await asks(bench, MODELS_PATH):
            pass
    assert [await asks(bench, path) for path in (MODELS_PATH, job_path(job.id))] == [1, 1]
    bench.core.feed.may_begin.set()
    await until_told(bench)
    assert await asks(bench, job_path(job.id)) == 0


async def poll(bench: Bench, job: FakeJob) -> Sequence[int]:
    """Poll until the job has ended; return every percentage."""
    percents = [0]
    while percents[-1] < 100:
        percents.append(await percent_of(bench, job_path(job.id)))
    return percents


async def test_progress_never_falls_while_the_stream_comes_and_goes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PAUSES_S", (0.0,))
    job = bench.core.job()
    async with asyncio.timeout(30):
        polling = [asyncio.create_task(poll(bench, job)) for _ in range(4)]
        for percent in range(1, 100):
            await job.report(percent, "infer")
            if percent % 5 == 0:
                bench.core.feed.end()
            await until_percent(bench, job, percent - 2)
        await job.succeed(b"")
        for percents in await asyncio.gather(*polling):
            assert all(before <= after for before, after in itertools.pairwise(percents))
