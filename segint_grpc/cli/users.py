"""`segint user create|list|password|disable|enable`: people with passwords."""

from __future__ import annotations

import sys
from datetime import UTC
from typing import TextIO

import click

from segint_grpc.cli.completions import user_names
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.cli.tokens import scope_name, scope_option
from segint_grpc.client.access import Access

password_option = click.option(
    "--password-file",
    "file",
    type=click.File(),
    metavar="FILE",
    help="Take the password from a file (- is stdin) instead of asking.",
)


@click.group(short_help="Make, list and change users.")
def user() -> None:
    """Say who may log in to the console. Programs take tokens instead: segint token --help."""


@user.command("create", short_help="Make a user; the password is asked for.")
@click.argument("name")
@scope_option
@password_option
@home_option
def create(name: str, scope: str, file: TextIO | None, home: str | None) -> None:
    """Make the user NAME. The password is asked for twice; take 12 characters or more, a sentence is fine."""
    with Access(chosen_place(home)) as server:
        made = server.create_user(name, scope, _password(file))
    click.echo(f"Made the user {made.name} ({scope_name(made.scope)}).")


@user.command("list", short_help="List the users.")
@json_option
@home_option
def list_users(as_json: bool, home: str | None) -> None:
    """List the users by name."""
    with Access(chosen_place(home)) as server:
        found = server.users()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            entry.name,
            scope_name(entry.scope),
            "disabled" if entry.HasField("disabled_at") else "enabled",
            entry.password_set_at.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M"),
        )
        for entry in found
    ]
    print_table(("User", "Scope", "State", "Password set"), rows)


@user.command("password", short_help="Give a user another password.")
@click.argument("name", shell_complete=user_names)
@password_option
@home_option
def password(name: str, file: TextIO | None, home: str | None) -> None:
    """Give the user NAME another password, which is asked for twice."""
    with Access(chosen_place(home)) as server:
        server.set_password(name, _password(file))
    click.echo(f"The password of {name} is changed.")


@user.command("disable", short_help="Let a user in no more.")
@click.argument("name", shell_complete=user_names)
@home_option
def disable(name: str, home: str | None) -> None:
    """Let the user NAME in no more; nothing else is lost."""
    with Access(chosen_place(home)) as server:
        server.disable_user(name)
    click.echo(f"The user {name} is disabled; segint user enable {name} lets in again.")


@user.command("enable", short_help="Let a disabled user in again.")
@click.argument("name", shell_complete=user_names)
@home_option
def enable(name: str, home: str | None) -> None:
    """Let the disabled user NAME in again."""
    with Access(chosen_place(home)) as server:
        server.enable_user(name)
    click.echo(f"The user {name} is enabled.")


def _password(file: TextIO | None) -> str:
    """Return the password from `file`, else from whoever types it, twice."""
    if file is not None:
        return file.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; give the password with --password-file.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True))
