"""What `segint job watch` draws on a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from generated.segint.v1 import job_pb2
from segint_grpc.cli import job_watch
from segint_grpc.cli.job_watch import ROWS_MAX, state_words

NOW = datetime(2026, 11, 23, tzinfo=UTC)
QUEUED, RUNNING, SUCCEEDED = (
    job_pb2.JOB_STATE_QUEUED,
    job_pb2.JOB_STATE_RUNNING,
    job_pb2.JOB_STATE_SUCCEEDED,
)
LEFT = job_pb2.Remaining(low_s=35, expected_s=40, high_s=50)


def a_job(name: str, state: job_pb2.JobState, ended_s: float | None = None) -> job_pb2.JobProgress:
    job = job_pb2.JobProgress(segmentation_id=name, model_id="[red]liver", state=state, stage="infer")
    job.progress.Progress = 42
    if ended_s is not None:
        job.finished_at.FromDatetime(NOW + timedelta(seconds=ended_s))
    return job


def drawn(*changes: list[job_pb2.JobProgress]) -> str:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100, color_system=None)
    job_watch._draw(iter(changes), console)
    return screen.getvalue().rpartition("Job")[2]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (a_job("a", RUNNING), "running, 42 % (infer)"),
        (a_job("a", SUCCEEDED), "succeeded"),
        (job_pb2.JobProgress(state=QUEUED, jobs_ahead=3), "queued, 3 ahead"),
        (job_pb2.JobProgress(state=QUEUED), "queued"),
        (
            job_pb2.JobProgress(state=QUEUED, jobs_ahead=1, remaining=LEFT),
            "queued, 1 ahead, about 40 s left",
        ),
    ],
)
def test_a_state_is_told_in_words(job: job_pb2.JobProgress, words: str) -> None:
    assert state_words(job) == words


def test_the_view_shows_each_job_once_as_it_is_now() -> None:
    text = drawn([a_job("first", QUEUED), a_job("second", RUNNING)], [a_job("first", RUNNING)])
    assert text.count("first") == text.count("second") == 1
    assert "queued" not in text
    assert "[red]liver" in text


def test_the_view_drops_what_ended_longest_ago_and_nothing_that_goes_on() -> None:
    ended = [a_job(f"ended-{number:02d}", SUCCEEDED, -number) for number in range(ROWS_MAX)]
    text = drawn([a_job("going-on", RUNNING)], ended)
    assert "going-on" in text
    assert "ended-00" in text
    assert f"ended-{ROWS_MAX - 1}" not in text
    assert f"ended-{ROWS_MAX - 2}" in text
