"""`segint token create|list|revoke`: who may call from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from generated.segint.v1 import access_pb2
from segint_grpc.cli.completions import token_ids
from segint_grpc.cli.options import chosen_place, home_option, json_option
from segint_grpc.cli.output import print_json, print_table
from segint_grpc.client.access import Access

SCOPES = ("client", "operator", "admin")
NEVER = "never"
_AHEAD = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Expiry(click.ParamType[Any]):
    """How long from now on, or a date with or without a time of day, or never."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        """Return the moment that `value` means, aware, or `NEVER`."""
        text = str(value).strip()
        if text == NEVER:
            return NEVER
        if ahead := _AHEAD.fullmatch(text):
            return datetime.now(UTC) + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{value!r} is no time; write 8h, 90d, 2027-11-23 or never.", param, ctx)
        return moment if moment.tzinfo else moment.astimezone()


scope_option = click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="client",
    show_default=True,
    help="client: post scans and have their masks; operator: all jobs; admin: models, tokens, users.",
)


@click.group(short_help="Make, list and revoke tokens.")
def token() -> None:
    """Say who may call the server over the network."""


@token.command("create", short_help="Make a token; it is shown once.")
@click.argument("name")
@scope_option
@click.option(
    "--expires", type=Expiry(), default="365d", show_default=True, help="8h, 90d, a date, or never."
)
@click.option("--jobs", type=click.IntRange(0), default=0, help="Most unfinished jobs; 0: any number.")
@click.option("--posts", type=click.IntRange(0), default=0, help="Most scans a minute; 0: any number.")
@json_option
@home_option
def create(
    name: str, scope: str, expires: datetime | str, jobs: int, posts: int, as_json: bool, home: str | None
) -> None:
    """Make a token for NAME, a program, a person or a room, and print it: this once, never again.

    \b
    Examples:
      segint token create "Velocity, room 3"
      segint token create "planning scripts" --expires 30d --jobs 10
      segint token create "Anna" --scope admin --expires 90d >anna.token
    """  # noqa: D301 (click's mark for lines that are not to be wrapped)
    limits = access_pb2.TokenLimits(jobs_max=jobs, posts_per_minute=posts)
    with Access(chosen_place(home)) as server:
        made = server.create_token(name, scope, expires if isinstance(expires, datetime) else None, limits)
    if as_json:
        print_json(made)
        return
    click.echo(made.secret)
    until = f"until {_date(made.token.expires_at)}" if made.token.HasField("expires_at") else "for good"
    click.echo(
        f"Keep it now, it cannot be shown again. It counts {until}; it ends with: "
        f"segint token revoke {made.token.id}",
        err=True,
    )


@token.command("list", short_help="List the tokens.")
@click.option("--all", "everything", is_flag=True, help="Those that have ended, too.")
@json_option
@home_option
def list_tokens(everything: bool, as_json: bool, home: str | None) -> None:
    """List the tokens that count, oldest first: what each may do, and when it was last used."""
    with Access(chosen_place(home)) as server:
        found = [entry for entry in server.tokens() if entry.valid or everything]
    if as_json:
        print_json(found)
        return
    headings = ("Token", "Name", "Scope", "State", "Made", "Expires", "Last used", "Limits")
    print_table(headings, [_row(entry) for entry in found])


@token.command("revoke", short_help="End a token at once.")
@click.argument("token_id", metavar="TOKEN", shell_complete=token_ids)
@home_option
def revoke(token_id: str, home: str | None) -> None:
    """End TOKEN, named by its eight letters and digits, at once and for good."""
    with Access(chosen_place(home)) as server:
        ended = server.revoke_token(token_id)
    click.echo(f"Revoked {ended.id} ({ended.name}).")


def scope_name(scope: access_pb2.Scope) -> str:
    """Return a scope as people write it."""
    return access_pb2.Scope.Name(scope).removeprefix("SCOPE_").lower()


def _row(entry: access_pb2.Token) -> tuple[str, ...]:
    return (
        entry.id,
        entry.name,
        scope_name(entry.scope),
        _state(entry),
        _date(entry.created_at),
        _date(entry.expires_at) if entry.HasField("expires_at") else NEVER,
        _date(entry.used_at) if entry.HasField("used_at") else NEVER,
        _limits(entry.limits),
    )


def _state(entry: access_pb2.Token) -> str:
    if entry.valid:
        return "valid"
    return "revoked" if entry.HasField("revoked_at") else "expired"


def _date(moment: Timestamp) -> str:
    return moment.ToDatetime(UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _limits(limits: access_pb2.TokenLimits) -> str:
    told = []
    if limits.jobs_max:
        told.append(f"{limits.jobs_max} jobs")
    if limits.posts_per_minute:
        told.append(f"{limits.posts_per_minute} posts a minute")
    return ", ".join(told)
