"""An event stream is read line by line; what is no event of a job is an error and never a guess."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from segint_grpc.client.events import EventError, JobEvent, read_events


async def lines(text: str) -> AsyncIterator[bytes]:
    for line in text.splitlines(keepends=True):
        yield line.encode()


async def events(text: str) -> list[JobEvent]:
    return [event async for event in read_events(lines(text))]


async def test_data_may_span_lines_and_other_fields_and_comments_are_passed_over() -> None:
    text = (
        ': waiting\n\nevent: progress\nid: 7\ndata: {"percent": 40,\ndata: "state": "JOB_STATE_RUNNING"}\n\n'
    )
    assert await events(text) == [JobEvent(percent=40, state="running")]


async def test_carriage_returns_and_a_missing_space_are_allowed() -> None:
    assert await events('data:{"percent":7,"stage":"load","jobs_ahead":2}\r\n\r\n') == [
        JobEvent(percent=7, stage="load", jobs_ahead=2)
    ]


async def test_an_event_that_the_stream_cuts_off_is_dropped() -> None:
    assert await events('data: {"percent": 1}\n') == []


async def test_what_remains_is_read_where_the_server_knows_it() -> None:
    known = '{"percent": 7, "remaining_s": 40, "remaining_low_s": 30.5, "remaining_high_s": 60}'
    unknown = '{"percent": 7, "remaining_s": null, "remaining_low_s": null, "remaining_high_s": null}'
    told = await events(f"data: {known}\n\ndata: {unknown}\n\n")
    assert [event.remaining_s for event in told] == [(30.5, 40.0, 60.0), None]


async def test_percent_stays_within_bounds() -> None:
    text = 'data: {"percent": 250}\n\ndata: {"percent": -3}\n\n'
    assert [event.percent for event in await events(text)] == [100, 0]


@pytest.mark.parametrize(
    "data",
    ["no json", "[]", "{}", '{"percent": "many"}', "null", "x" * 70_000, '{"percent": 1, "warnings": 3}'],
)
async def test_data_that_is_no_event_is_an_error(data: str) -> None:
    with pytest.raises(EventError):
        await events(f"data: {data}\n\n")


@pytest.mark.parametrize(
    ("event", "started"),
    [
        (JobEvent(0, state="queued"), False),
        (JobEvent(5, state="received"), False),
        (JobEvent(0, state="running"), True),
        (JobEvent(0), False),
        (JobEvent(3), True),
        (JobEvent(100, state="succeeded"), True),
    ],
)
def test_a_job_has_started_once_it_runs_or_where_only_percent_is_known_has_moved(
    event: JobEvent, started: bool
) -> None:
    assert event.started is started
