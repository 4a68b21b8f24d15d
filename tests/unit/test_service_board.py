from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.service import board as board_module
from segint_grpc.service.board import Board, Changes

MOMENT = datetime(2026, 11, 26, tzinfo=UTC)


def a_job(job_id: str, state: JobState) -> Job:
    moments = {"submitted_at": MOMENT, "deadline_at": MOMENT, "started_at": None, "finished_at": MOMENT}
    texts = dict.fromkeys(
        ("model_id", "stage", "error_code", "error_text", "caller", "body_sha256", "result_sha256"), ""
    )
    numbers = {"percent": 0, "body_bytes": 0, "attempt": 0, "result_bytes": None}
    return Job(id=job_id, state=state, warnings=(), **texts, **numbers, **moments)  # type: ignore[arg-type]


async def test_a_slow_watcher_is_told_once_of_many_changes() -> None:
    board = Board()
    with board.watching() as watch:
        for job_id in ("a", "b", "a", "a"):
            board.publish(job_id)
        assert await watch.changes() == Changes({"a", "b"})


async def test_every_watcher_is_told_and_those_of_other_jobs_are_not() -> None:
    board = Board()
    with board.watching("id") as one, board.watching() as every, board.watching("other") as other:
        board.publish("id")
        assert await one.changes() == await every.changes() == Changes({"id"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.changes(), 0.01)


async def test_who_answers_polls_is_not_told_of_what_no_poll_would_show() -> None:
    board = Board()
    with board.watching(polls_only=True) as polls, board.watching() as every:
        board.publish("queued", quiet=True)
        board.publish("ended")
        assert await polls.changes() == Changes({"ended"})
        assert await every.changes() == Changes({"queued", "ended"})


async def test_how_a_job_ended_is_told_with_the_change_and_stays_so() -> None:
    board, ended = Board(), a_job("id", JobState.CANCELLED)
    with board.watching() as every, board.watching("id") as one, board.watching("other") as other:
        board.publish("id")
        board.publish_end(ended)
        board.publish("id")
        assert await every.changes() == await one.changes() == Changes(ended={"id": ended})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(other.changes(), 0.01)


async def test_a_stopping_server_ends_every_watch_with_an_error() -> None:
    board = Board()
    with board.watching("id") as watch:
        waiting = asyncio.ensure_future(watch.changes())
        await asyncio.sleep(0)
        board.close()
        with pytest.raises(errors.Unavailable):
            await waiting


async def test_what_changed_before_the_stop_is_told_before_the_watch_ends() -> None:
    board = Board()
    with board.watching() as watch:
        board.publish("id")
        board.close()
        assert await watch.changes() == Changes({"id"})
        with pytest.raises(errors.Unavailable):
            await watch.changes()


async def test_who_waits_is_told_once_that_the_queue_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "QUEUE_NEWS_S", 0)
    board = Board()
    with board.watching("waits") as one, board.watching("runs") as other:
        one.waits = True
        for job_id in ("a", "b", "c"):
            board.publish(job_id)
        assert await one.changes() == Changes(queue=True)
        for watch in (one, other):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.changes(), 0.01)


async def test_a_change_of_the_models_reaches_those_who_watch_everything() -> None:
    board = Board()
    with board.watching("id") as one, board.watching() as every:
        board.publish_models()
        assert await every.changes() == Changes(models=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one.changes(), 0.01)


async def test_a_watch_that_begins_while_the_server_stops_ends_at_once() -> None:
    board = Board()
    board.close()
    with board.watching() as watch, pytest.raises(errors.Unavailable):
        await watch.changes()
