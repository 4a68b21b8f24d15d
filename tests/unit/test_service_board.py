from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.service.board import Board


def job(percent: int, state: JobState = JobState.RUNNING) -> Job:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    texts = ("infer", "", "", "", "", 0)
    return Job("id", "model", state, percent, *texts, now, now, now, None, 1, None, "", ())


async def test_a_slow_watcher_sees_the_newest_state_and_always_the_last() -> None:
    board = Board()
    with board.watching("id") as changes:
        for percent in (1, 2, 3):
            board.publish(job(percent))
        assert (await anext(changes)).percent == 3
        board.publish(job(50))
        board.publish(job(100, JobState.SUCCEEDED))
        assert [change.state async for change in changes] == [JobState.SUCCEEDED]


async def test_a_change_between_subscription_and_reading_is_not_missed() -> None:
    board = Board()
    with board.watching("id") as changes:
        board.publish(job(7))
        assert (await anext(changes)).percent == 7


async def test_every_watcher_gets_the_change_and_other_jobs_do_not() -> None:
    board = Board()
    with board.watching("id") as one, board.watching("id") as two, board.watching("other") as three:
        board.publish(job(100, JobState.FAILED))
        assert (await anext(one)).state is (await anext(two)).state is JobState.FAILED
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(three), 0.01)


async def test_a_stopping_server_ends_every_watch_with_an_error() -> None:
    board = Board()
    with board.watching("id") as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        board.close()
        with pytest.raises(errors.Unavailable):
            await waiting
