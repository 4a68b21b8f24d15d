"""The way to blocking code: what a cancellation meanwhile does, and what is tried again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from segint_grpc import errors, logs
from segint_grpc.service import hop as hops
from segint_grpc.service.hop import Hop


@pytest.fixture
def hop() -> Iterator[Hop]:
    with Hop("test", threads=2) as running:
        yield running


async def test_the_thread_has_the_caller_s_job_id_and_the_hop_s_name(hop: Hop) -> None:
    logs.job_id.set("7")
    assert await hop.run(logs.job_id.get) == "7"
    assert (await hop.run(lambda: threading.current_thread().name)).startswith("test")


async def test_a_cancelled_caller_of_run_goes_at_once(hop: Hop) -> None:
    go_on = threading.Event()
    call = asyncio.create_task(hop.run(go_on.wait))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    go_on.set()


async def test_a_cancelled_caller_of_complete_gets_the_outcome_and_then_the_cancellation(hop: Hop) -> None:
    go_on = threading.Event()
    outcomes = []

    async def call() -> None:
        outcomes.append(await hop.complete(go_on.wait))
        await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcomes == [True]


async def test_complete_raises_what_the_call_raises(hop: Hop) -> None:
    with pytest.raises(ZeroDivisionError):
        await hop.complete(lambda: 1 // 0)


async def test_insist_tries_again_while_the_database_takes_no_change(
    hop: Hop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hops, "RETRY_S", 0)
    trouble = [errors.Unavailable(), errors.DiskFull()]

    def change() -> str:
        if trouble:
            raise trouble.pop()
        return "done"

    assert await hop.insist(change) == "done"


async def test_insist_gives_up_when_it_is_cancelled(hop: Hop) -> None:
    def change() -> None:
        raise errors.DiskFull

    task = asyncio.create_task(hop.insist(change))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)


async def test_insist_raises_what_no_waiting_mends(hop: Hop) -> None:
    def change() -> None:
        raise errors.StaleLease

    with pytest.raises(errors.StaleLease):
        await hop.insist(change)
