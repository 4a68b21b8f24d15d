"""The options that say which jobs are meant, and from when on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from generated.segint.v1 import job_pb2, jobs_pb2
from segint_grpc.cli.completions import version_ids
from segint_grpc.cli.job_records import STATE_PREFIX, state_name
from segint_grpc.client.job_administration import timestamp

Command = Callable[..., Any]

STATES = {state_name(number): number for number in job_pb2.JobState.values() if number}
UNFINISHED = "unfinished"
UNFINISHED_STATES = ("received", "queued", "running")

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType[datetime]):
    """A time: how long ago, or a date with or without a time of day, by this machine's clock and zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment that `value` means, aware."""
        if ago := _AGO.fullmatch(value.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            self.fail(f"{value!r} is no time; write 90m, 2h, 7d, 2026-11-23 or 2026-11-23T14:30.", param, ctx)
        return moment if moment.tzinfo else moment.astimezone()


model_option = click.option(
    "--model",
    "model_id",
    default="",
    metavar="ID",
    shell_complete=version_ids,
    help="Of this model version.",
)
since_option = click.option("--since", type=Moment(), help="From then on: 2h, 7d, 2026-11-23T14:30.")


def filter_options(command: Command) -> Command:
    """Give `command` the options whose values `job_filter` takes."""
    options = (
        model_option,
        click.option(
            "--state",
            "states",
            type=click.Choice([*STATES, UNFINISHED]),
            multiple=True,
            help="In this state; can be repeated.",
        ),
        since_option,
        click.option("--until", type=Moment(), help="Before then."),
        click.option("--caller", default="", metavar="ADDRESS", help="Posted by this caller."),
        click.option("--warnings", is_flag=True, help="Only jobs with warnings."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def job_filter(
    model_id: str,
    states: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    caller: str,
    warnings: bool,
) -> jobs_pb2.JobFilter:
    """Return what the options of `filter_options` ask for."""
    named = [name for state in states for name in (UNFINISHED_STATES if state == UNFINISHED else (state,))]
    return jobs_pb2.JobFilter(
        model_id=model_id,
        states=[f"{STATE_PREFIX}{name.upper()}" for name in dict.fromkeys(named)],
        submitted_after=timestamp(since),
        submitted_before=timestamp(until),
        caller=caller,
        with_warnings=warnings,
    )
