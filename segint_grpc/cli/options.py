"""Options that several commands have, and what they choose: whose server is meant, and by which token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from segint_grpc import errors, settings
from segint_grpc.client.connection import Place, Remote
from segint_grpc.client.trust import NAMES, VARIABLES, Trust
from segint_grpc.home import Home

Command = TypeVar("Command", bound=Callable[..., Any])

_SERVER, _TOKEN, _TOKEN_FILE = "segint.server", "segint.token", "segint.token_file"

TRUST_HELP = (
    "PEM file with the certificate to show where the server asks for one.",
    "PEM file with its key.",
    "PEM file with the authority that the server's certificate must be of, where this machine knows it not.",
)
"""Of --certificate, --key and --ca."""

only_home_option = click.option("--home", metavar="DIR", help=settings.explanation("home"))
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def _keep(key: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return what notes an option's value for `chosen_place`, so that no command has to hand it on."""

    def note(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        typed = ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        ctx.meta[key] = (value, typed)
        return value

    return note


def token_options(command: Command) -> Command:
    """Give a command the options by which it learns its token; `chosen_token` tells it."""
    for option in (
        click.option(
            "--token",
            metavar="TOKEN",
            envvar="SEGINT_TOKEN",
            show_envvar=True,
            expose_value=False,
            callback=_keep(_TOKEN),
            help="The token; better in the variable or a file, since others see command lines.",
        ),
        click.option(
            "--token-file",
            metavar="FILE",
            envvar="SEGINT_TOKEN_FILE",
            show_envvar=True,
            type=click.Path(dir_okay=False, path_type=Path),
            expose_value=False,
            callback=_keep(_TOKEN_FILE),
            help="A file with the token.",
        ),
    ):
        command = option(command)
    return command


def home_option(command: Command) -> Command:
    """Give a command the options that say whose server it asks; `chosen_place` tells what they choose."""
    server = click.option(
        "--server",
        "grpc_server",
        metavar="HOST:PORT",
        envvar="SEGINT_GRPC_SERVER",
        show_envvar=True,
        expose_value=False,
        callback=_keep(_SERVER),
        help="Another machine's server, by its gRPC address, instead of this home's.",
    )
    for name, variable, text in zip(NAMES, VARIABLES, TRUST_HELP, strict=True):
        command = click.option(
            name,
            metavar="FILE",
            envvar=variable,
            show_envvar=True,
            type=click.Path(path_type=Path),
            expose_value=False,
            callback=_keep(variable),
            help=text,
        )(command)
    return only_home_option(server(token_options(command)))


def chosen_home(home: str | None) -> Home:
    """Return the home in the folder `home`, by default the one of the settings."""
    return Home(settings.load({"home": home}).home_path)


def chosen_place(home: str | None, ctx: click.Context | None = None) -> Place:
    """Return whose server is meant: that of `--server`, else that of the home.

    Raises:
        InvalidSetting: both were typed, or the token's file cannot be read.
    """
    ctx = ctx or click.get_current_context()
    address, typed = ctx.meta.get(_SERVER, (None, False))
    if home and address and typed:
        raise errors.InvalidSetting("--home and --server name two servers; give one of them.")
    if home or not address:
        return chosen_home(home)
    files = (ctx.meta.get(variable, (None, False))[0] for variable in VARIABLES)
    return Remote(address, chosen_token(ctx), Trust(*files))


def chosen_token(ctx: click.Context | None = None) -> str:
    """Return the token that was given, typed ones first; empty where none was.

    Raises:
        InvalidSetting: the token's file cannot be read.
    """
    meta = (ctx or click.get_current_context()).meta
    token, typed = meta.get(_TOKEN, (None, False))
    path, path_typed = meta.get(_TOKEN_FILE, (None, False))
    if token and typed:
        click.echo("segint: others on this machine can see a typed token; --token-file is better.", err=True)
    if path and (path_typed or not token):
        return _read(path)
    return token or ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise errors.InvalidSetting(f"The token's file {path} cannot be read ({reason}).") from None
