"""The core may be away, slow or gone amid a request; the gateway says so and mends itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from http_gateway import core as core_line
from tests.fakes.core import FakeCore, running
from tests.fakes.gateway import POST_PATH, Bench, gateway_bench, in_pieces, job_path, scan


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    """A gateway whose core is not there; a test may start one on `socket`."""
    async with gateway_bench() as other:
        socket = other.socket.with_name("later.sock")
        async with gateway_bench(core=f"unix:{socket}") as bench:
            bench.socket = socket
            yield bench


@pytest.mark.parametrize(
    "path", ["/ping", "/api/v2/Credits", "/api/v2/VendorStatus", "/api/v2/Model/", "/readyz", job_path("x")]
)
async def test_without_a_core_every_answer_is_a_503_with_a_sentence(bench: Bench, path: str) -> None:
    answer = await bench.get(path)
    assert answer.status == 503
    assert answer.error.ErrorMessage == "The service is not available at present."
    assert "cannot be reached" in answer.error.ExceptionDetails
    assert "sock" not in answer.error.ExceptionDetails
    assert int(answer.headers["Retry-After"]) > 0


async def test_without_a_core_a_post_is_a_503_too(bench: Bench) -> None:
    assert (await bench.post(in_pieces(scan(3_000_000)))).status == 503


async def test_without_a_core_the_gateway_is_alive_and_counts(bench: Bench) -> None:
    assert (await bench.get("/healthz")).status == 200
    answer = await bench.get("/metrics")
    assert answer.status == 200
    assert b"segint_core_up 0.0" in answer.body


async def until(bench: Bench, path: str, status: int) -> None:
    async with asyncio.timeout(10):
        while (await bench.get(path)).status != status:  # nothing tells when a connection is back, or gone
            pass


async def test_a_core_that_comes_back_is_found_again(bench: Bench) -> None:
    assert (await bench.get("/ping")).status == 503
    for _ in range(2):
        async with running(FakeCore(), bench.socket):
            await until(bench, "/readyz", 200)
            assert (await bench.get("/ping")).status == 200
        await until(bench, "/ping", 503)


async def test_a_core_that_goes_amid_an_upload_is_a_503(bench: Bench) -> None:
    core = FakeCore()
    began = core.upload_began

    async def body() -> AsyncIterator[bytes]:
        yield scan()
        await gone.wait()

    gone = asyncio.Event()
    async with running(core, bench.socket):
        await until(bench, "/readyz", 200)
        posting = asyncio.create_task(bench.post(body(), POST_PATH))
        await asyncio.wait_for(began.wait(), 10)
    answer = await asyncio.wait_for(posting, 10)
    gone.set()
    assert answer.status == 503


async def test_a_core_that_does_not_answer_is_a_504(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_line, "PROBE_DEADLINE_S", 0.05)
    async with gateway_bench() as bench:
        bench.core.silent = True
        monkeypatch.setattr(core_line.Core.ask, "__defaults__", (0.05,))
        answer = await bench.get("/ping")
        assert answer.status == 504
        assert "did not answer in time" in answer.error.ExceptionDetails
        assert (await bench.get("/metrics")).status == 200


async def test_every_call_has_a_deadline() -> None:
    deadlines: list[float] = []
    async with gateway_bench() as bench:
        bench.core.on_call = lambda context: deadlines.append(context.time_remaining())
        job = bench.core.job()
        await job.succeed(b"")
        for path in (
            "/ping",
            job_path(job.id),
            job_path(job.id, tail="/result"),
            job_path(job.id, tail="/events"),
        ):
            assert (await bench.get(path)).status == 200
        assert (await bench.post(scan())).status == 200
    assert len(deadlines) == 5
    assert all(0 < deadline < 4000 for deadline in deadlines), deadlines
