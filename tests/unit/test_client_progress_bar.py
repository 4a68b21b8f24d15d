"""The bar names legs and stages, never falls, and times every leg; without a terminal it is lines."""

from __future__ import annotations

import io

from rich.console import Console

from segint_grpc.cli.progress_bar import SegmentationBar
from segint_grpc.cli.time_left import TimeLeft
from segint_grpc.client.events import JobEvent


def shown(terminal: bool) -> tuple[str, SegmentationBar]:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
    with SegmentationBar(console) as bar:
        bar.leg("upload")
        bar.bytes_passed(512 * 1024, 1024 * 1024)
        bar.bytes_passed(1024 * 1024, None)
        bar.leg("queue")
        bar.job(JobEvent(0, stage="queue", state="queued", jobs_ahead=2))
        bar.job(JobEvent(0, stage="queue", state="queued", jobs_ahead=1))
        bar.leg("run")
        bar.job(JobEvent(40, stage="infer", state="running", warnings=("spacing",)))
        bar.job(JobEvent(30))
        bar.job(JobEvent(60, stage="a stage of a later server", state="running"))
    return console.file.getvalue(), bar  # type: ignore[attr-defined]


def test_without_a_terminal_each_news_is_one_line() -> None:
    text, _ = shown(terminal=False)
    assert text.splitlines() == [
        "Sending the scan",
        "Waiting in the queue",
        "    0 %  2 jobs ahead",
        "    0 %  1 job ahead",
        "Segmenting",
        "   40 %  the model is running",
        "   60 %  a stage of a later server",
    ]


def test_how_long_it_takes_yet_is_shown_and_counted_down() -> None:
    now = 100.0
    left = TimeLeft((35.0, 40.0, 50.0), clock=lambda: now)
    assert left.words == "about 40 s left"
    now += 10
    assert left.words == "about 30 s left"
    now += 100
    assert left.words == ""


def test_how_long_it_takes_yet_is_in_the_bar_and_in_the_lines() -> None:
    for terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
        with SegmentationBar(console) as bar:
            bar.leg("run")
            bar.job(JobEvent(40, stage="infer", state="running", remaining_s=(35.0, 40.0, 50.0)))
            bar.job(JobEvent(41))
            bar._progress.refresh()
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert "about 40 s left" in text


def test_on_a_terminal_the_bars_end_full() -> None:
    text, _ = shown(terminal=True)
    assert "Segmenting" in text
    assert "100 %" in text


def test_legs_are_timed_and_the_servers_warnings_kept() -> None:
    _, bar = shown(terminal=False)
    assert list(bar.legs_ms) == ["upload", "queue", "run"]
    assert min(bar.legs_ms.values()) >= 0
    assert bar.warnings == ("spacing",)


def test_a_leg_that_breaks_off_is_not_shown_as_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    bar = SegmentationBar(console)
    bar.__enter__()
    bar.leg("run")
    bar.job(JobEvent(40, stage="infer", state="running"))
    bar.interrupted("The job was cancelled.")
    bar.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "Interrupted. The job was cancelled." in text
    assert "100 %" not in text
