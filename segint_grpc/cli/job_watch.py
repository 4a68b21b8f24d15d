"""`segint job watch`: jobs as they change; a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from generated.segint.v1 import job_pb2
from segint_grpc.cli.completions import job_ids
from segint_grpc.cli.job_filters import filter_options, job_filter
from segint_grpc.cli.job_records import progress_record, state_name
from segint_grpc.cli.options import chosen_place, home_option
from segint_grpc.cli.output import one_line
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.domain.spans import about

ROWS_MAX = 30
INTERRUPTED = 130
UNSUCCESSFUL = 1
COLORS = {"running": "cyan", "succeeded": "green", "failed": "red", "cancelled": "yellow"}

Changes = Iterator[Sequence[job_pb2.JobProgress]]


@click.command(short_help="Show a job, or several, until they end.")
@click.argument("job_id", metavar="[JOB]", default="", shell_complete=job_ids)
@filter_options
@click.option("--json", "as_json", is_flag=True, help="As JSON lines, one for each change.")
@home_option
def watch(job_id: str, as_json: bool, home: str | None, **wanted: Any) -> None:
    """Show JOB until it ends, or every job that fits the options until you press Ctrl-C.

    Without options these are the unfinished ones, each with its end. With JOB, the exit code is 0 if it
    succeeded and 1 if it failed or was cancelled.
    """
    with JobAdministration(chosen_place(home)) as server:
        if job_id:
            changes: Changes = ([change] for change in server.follow_one(job_id))
        else:
            states = wanted.pop("states") or ("unfinished",)
            changes = iter(server.follow(job_filter(states=states, **wanted)))
        try:
            last = _show(changes, as_json)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED if job_id else 0)
    if job_id and (last is None or last.state != job_pb2.JOB_STATE_SUCCEEDED):
        sys.exit(UNSUCCESSFUL)


def state_words(job: job_pb2.JobProgress) -> str:
    """Return a job's state for a person, with how far it is and how long it takes yet, or why it failed."""
    name = state_name(job.state)
    if name == "failed":
        return f"failed: {one_line(job.progress.Errors)}"
    if name == "running":
        name = f"running, {job.progress.Progress} % ({job.stage})"
    elif job.jobs_ahead:
        name = f"{name}, {job.jobs_ahead} ahead"
    return f"{name}, {_left(job.remaining)}" if job.HasField("remaining") else name


def _left(remaining: job_pb2.Remaining) -> str:
    return f"{about(remaining.low_s, remaining.expected_s, remaining.high_s)} left"


def _show(changes: Changes, as_json: bool) -> job_pb2.JobProgress | None:
    """Show `changes` up to their end; return the last one."""
    console = Console(highlight=False)
    if as_json or not console.is_terminal:
        return _print_lines(changes, as_json)
    return _draw(changes, console)


def _print_lines(changes: Changes, as_json: bool) -> job_pb2.JobProgress | None:
    last = None
    for last in (job for jobs in changes for job in jobs):
        if as_json:
            click.echo(json.dumps(progress_record(last), ensure_ascii=False))
        else:
            click.echo("\t".join((last.segmentation_id, one_line(last.model_id), state_words(last))))
    return last


def _draw(changes: Changes, console: Console) -> job_pb2.JobProgress | None:
    shown: dict[str, job_pb2.JobProgress] = {}
    last = None
    with Live(_table(()), console=console, auto_refresh=False) as live:
        for jobs in changes:
            for last in jobs:
                shown[last.segmentation_id] = last
            _forget(shown)
            live.update(_table(shown.values()), refresh=True)
    return last


def _forget(shown: dict[str, job_pb2.JobProgress]) -> None:
    """Drop the jobs that ended longest ago, so that a table of weeks stays as long as a screen."""
    ended = [job for job in shown.values() if job.HasField("finished_at")]
    ended.sort(key=lambda job: job.finished_at.ToNanoseconds())
    for job in ended[: max(0, len(shown) - ROWS_MAX)]:
        del shown[job.segmentation_id]


def _table(jobs: Iterable[job_pb2.JobProgress]) -> Table:
    table = Table(caption="Ctrl-C ends this view, not the jobs.")
    table.add_column("Job", no_wrap=True, overflow="fold")
    table.add_column("Model", overflow="fold")
    table.add_column("State")
    for job in jobs:
        color = COLORS.get(state_name(job.state), "")
        table.add_row(job.segmentation_id, Text(one_line(job.model_id)), Text(state_words(job), color))
    return table
