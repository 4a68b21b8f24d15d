"""`segint status`: what a server does now; a live view on a terminal, printed once elsewhere."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from segint_grpc import errors
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.status_view import as_lines, as_picture, as_record
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.client.operations import Operations
from segint_grpc.client.overview import Overseer

EVERY_S = 2.0


@click.command(short_help="Show what the server does now.")
@click.option("--once", is_flag=True, help="Print once and end; as without a terminal.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.2, 3600),
    default=EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="How often the view is brought up to date.",
)
@home_option
@json_option
def status(once: bool, every_s: float, home: str | None, as_json: bool) -> None:
    """Show slots, queue, loaded models with their memory, the last hour's jobs, and the disk.

    On a terminal the view goes on until you press Ctrl-C, also while the server is away.
    """
    place, console = chosen_place(home), Console(highlight=False)
    with Operations(place) as operations, JobAdministration(place) as jobs:
        overseer = Overseer(operations, jobs)
        if as_json:
            click.echo(json.dumps(as_record(overseer.look()), indent=1, ensure_ascii=False))
        elif not console.is_terminal:
            click.echo("\n".join(as_lines(overseer.look())))
        elif once:
            console.print(as_picture(overseer.look()))
        else:
            with suppress(KeyboardInterrupt):
                _watch(overseer, console, every_s)


def _watch(overseer: Overseer, console: Console, every_s: float) -> None:
    with Live(as_picture(overseer.look()), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(every_s)
            live.update(_picture(overseer), refresh=True)


def _picture(overseer: Overseer) -> RenderableType:
    """Return the server as it is now; one that is away, as while its core starts again, may come back."""
    try:
        return as_picture(overseer.look())
    except errors.ServerUnreachable as error:
        return Text(f"{error}\nAsked again until you press Ctrl-C.")
