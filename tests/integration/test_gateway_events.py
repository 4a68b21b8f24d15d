"""Progress as a stream of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from http_gateway import events
from tests.fakes.core import running
from tests.fakes.gateway import JSON, Bench, gateway_bench, job_path


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with gateway_bench() as bench:
        yield bench


async def next_event(response: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(10):
        block = await response.content.readuntil(b"\n\n")
    name, data = block.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_every_change_is_sent_and_the_end_last(bench: Bench) -> None:
    job = bench.core.job()
    async with bench.session.get(job_path(job.id, tail="/events")) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream"
        name, first = await next_event(response)
        assert (name, first["state"], first["stage"], first["percent"]) == ("progress", "queued", "queue", 0)
        await job.report(40, "infer")
        name, second = await next_event(response)
        assert (name, second["state"], second["stage"], second["percent"]) == (
            "progress",
            "running",
            "infer",
            40,
        )
        await job.succeed(b"")
        name, last = await next_event(response)
        assert (name, last["state"], last["percent"], last["error_code"]) == ("end", "succeeded", 100, "None")
        assert await response.read() == b""


async def test_an_event_tells_everything_of_the_job(bench: Bench) -> None:
    job = bench.core.job()
    await job.fail("InternalError", "The model died of SIGSEGV.")
    async with bench.session.get(job_path(job.id, tail="/events")) as response:
        name, told = await next_event(response)
    assert name == "end"
    assert told == {
        "segmentation_id": job.id,
        "model_id": job.model_id,
        "state": "failed",
        "stage": "queue",
        "percent": 0,
        "jobs_ahead": 0,
        "remaining_s": None,
        "remaining_low_s": None,
        "remaining_high_s": None,
        "attempt": 0,
        "error": "The model died of SIGSEGV.",
        "error_code": "InternalError",
        "warnings": [],
    }


async def test_an_unknown_job_is_an_ordinary_error_and_no_stream(bench: Bench) -> None:
    answer = await bench.get(job_path("nothing", tail="/events"), Accept="text/event-stream")
    assert answer.status == 400
    assert json.loads(answer.body)["ErrorMessage"] == "Invalid request."


async def test_silence_is_filled_with_comments(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)
    job = bench.core.job()
    async with bench.session.get(job_path(job.id, tail="/events")) as response, asyncio.timeout(10):
        await next_event(response)
        assert await response.content.readuntil(b"\n\n") == b": waiting\n\n"


async def test_a_client_that_goes_away_ends_the_watching(bench: Bench) -> None:
    job = bench.core.job()
    async with bench.session.get(job_path(job.id, tail="/events")) as response:
        await next_event(response)
    await asyncio.wait_for(bench.core.watch_ended.wait(), 10)


async def test_a_cancelled_job_ends_the_stream(bench: Bench) -> None:
    job = bench.core.job()
    async with bench.session.get(job_path(job.id, tail="/events")) as response:
        await next_event(response)
        assert (await bench.ask("DELETE", job_path(job.id))).status == 200
        name, told = await next_event(response)
    assert (name, told["state"]) == ("end", "cancelled")


async def test_a_core_that_is_lost_on_the_way_is_an_event_too() -> None:
    async with gateway_bench() as bench:
        socket = bench.socket.with_name("second.sock")
        async with gateway_bench(core=f"unix:{socket}") as second:
            async with running(second.core, socket):
                job = second.core.job()
                response = await second.session.get(job_path(job.id, tail="/events"))
                await next_event(response)
            name, told = await next_event(response)
            assert name == "interrupted"
            assert "cannot be reached" in told["error"]
            assert "(request id " in told["error"]
            assert await response.read() == b""


async def test_streams_end_when_the_gateway_stops() -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        async with gateway_bench(stop_grace_s=60.0) as bench:
            path = job_path(bench.core.job().id, tail="/events")
            response = await session.get(f"http://{bench.address}{path}")
            await next_event(response)
        assert await response.read() == b""


async def test_events_are_the_same_for_every_accept(bench: Bench) -> None:
    job = bench.core.job()
    await job.succeed(b"")
    answer = await bench.get(job_path(job.id, tail="/events"), **JSON)
    assert answer.body.startswith(b"event: end\ndata: {")
