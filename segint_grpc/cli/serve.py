"""`segint serve`, and the same server in the background: `segint_run` and `segint_kill`."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from segint_grpc import lifeline
from segint_grpc.cli.sentences import sentences
from segint_grpc.serve import background, record
from segint_grpc.serve import run as server
from segint_grpc.serve.addresses import interfaces
from segint_grpc.serve.banner import banner
from segint_grpc.serve.record import Running
from segint_grpc.settings import CLIENT_MODES, explanation

HELP = {"help_option_names": ["-h", "--help"]}

Function = TypeVar("Function", bound=Callable[..., Any])


def server_options(function: Function) -> Function:
    """Give a command the options that are settings; see `segint config show` for all the others."""
    for option in reversed(
        (
            click.option("--home", metavar="DIR", help=explanation("home")),
            click.option("--http", metavar="HOST:PORT", help=explanation("http")),
            click.option("--https", metavar="HOST:PORT", help=explanation("https")),
            click.option("--grpc", metavar="HOST:PORT", help=explanation("grpc")),
            click.option("--allow", metavar="CIDR", multiple=True, help=explanation("allow")),
            click.option("--client-mode", type=click.Choice(CLIENT_MODES), help=explanation("client_mode")),
            click.option("--public-url", metavar="URL", help=explanation("public_url")),
        )
    ):
        function = option(function)
    return function


@click.command(short_help="Run the server until Ctrl-C or SIGTERM.")
@server_options
@click.option("--ready-fd", type=int, hidden=True)
@click.option("--die-with-parent", is_flag=True, hidden=True)
def serve(ready_fd: int | None, die_with_parent: bool, **options: Any) -> None:
    """Serve until Ctrl-C or SIGTERM: the core, and the gateway that Velocity talks to."""
    if die_with_parent:
        lifeline.die_with_parent(ready_fd)
    server.run(_overrides(options), _print_banner, ready_fd)


@click.command(context_settings=HELP)
@server_options
def run(**options: Any) -> None:
    """Start `segint serve` in the background and wait until it is ready. segint_kill stops it."""
    with sentences():
        overrides = _overrides(options)
        place = background.home_of(overrides)
        overrides.pop("home", None)
        running, fresh = background.start(place, _arguments(overrides))
        if not fresh:
            click.echo(f"SegInt already runs in the background (process {running.pid}).")
        _print_banner(running)
        home = ("--home", running.home) if options["home"] else ()
        click.echo(f"Stop it with: {shlex.join((_typed('segint_kill'), *home))}")


@click.command(context_settings=HELP)
@click.option("--home", metavar="DIR", help=explanation("home"))
def kill(home: str | None) -> None:
    """Stop the server that segint_run started, and no other."""
    with sentences():
        place = background.home_of({"home": home})
        running = background.stop(place)
        other = record.read(record.serve_file(place))
        if running is not None:
            click.echo(f"SegInt (process {running.pid}) is stopped.")
        elif other is not None:
            click.echo(
                f"The server in {place.path} (process {other.pid}) was not started by segint_run; "
                "stop it where it was started."
            )
        else:
            click.echo(f"Nothing that segint_run started is running in {place.path}.")


def _overrides(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, ())}


def _arguments(overrides: dict[str, Any]) -> list[str]:
    arguments = []
    for name, value in overrides.items():
        for part in value if isinstance(value, tuple) else (value,):
            arguments += [f"--{name.replace('_', '-')}", str(part)]
    return arguments


def _typed(command: str) -> str:
    """Return what to type for `command`: its name, or its path where the shell would not find it."""
    return command if shutil.which(command) else str(Path(sys.executable).with_name(command))


def _print_banner(running: Running) -> None:
    click.echo(banner(running, interfaces()))
