from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.service.board import Board, News


def job(percent: int, state: JobState = JobState.RUNNING) -> Job:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    texts = ("infer", "", "", "", "", 0)
    return Job("id", "model", state, percent, *texts, now, now, now, None, 1, None, "", ())


async def test_a_slow_watcher_sees_the_newest_state_and_always_the_last() -> None:
    board = Board()
    with board.watching("id") as watch:
        for percent in (1, 2, 3):
            board.publish(job(percent))
        assert [change.percent for change in (await watch.news()).jobs] == [3]
        board.publish(job(50))
        board.publish(job(100, JobState.SUCCEEDED))
        assert [change.state async for change in watch.until_finished()] == [JobState.SUCCEEDED]


async def test_every_watcher_gets_the_change_and_other_jobs_do_not() -> None:
    board = Board()
    with board.watching("id") as one, board.watching() as every, board.watching("other") as other:
        board.publish(job(100, JobState.FAILED))
        assert await one.news() == await every.news() == News([job(100, JobState.FAILED)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.news(), 0.01)


async def test_a_stopping_server_ends_every_watch_with_an_error() -> None:
    board = Board()
    with board.watching("id") as watch:
        waiting = asyncio.ensure_future(watch.news())
        await asyncio.sleep(0)
        board.close()
        with pytest.raises(errors.Unavailable):
            await waiting


async def test_a_change_of_the_models_reaches_those_who_watch_everything() -> None:
    board = Board()
    with board.watching("id") as one, board.watching() as every:
        board.publish_models()
        assert await every.news() == News([], models=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.news(), 0.01)


async def test_a_watch_that_begins_while_the_server_stops_ends_at_once() -> None:
    board = Board()
    board.close()
    with board.watching() as watch, pytest.raises(errors.Unavailable):
        await watch.news()
