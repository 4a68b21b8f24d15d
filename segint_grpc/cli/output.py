"""How commands print what they found: a table for people, plain lines or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
from google.protobuf import json_format
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table


def as_dict(message: Message) -> dict[str, Any]:
    """Return `message` as what JSON holds, under the names that its fields have in the .proto file."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def print_json(messages: Sequence[Message] | Message) -> None:
    """Print a message, or a list of them, as JSON."""
    found = as_dict(messages) if isinstance(messages, Message) else [as_dict(message) for message in messages]
    click.echo(json.dumps(found, indent=1, ensure_ascii=False))


def one_line(text: str) -> str:
    """Return `text` without what would break a line or command a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` for a person; where stdout is no terminal, one line each with tabs between."""
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        for row in rows:
            click.echo("\t".join(map(one_line, row)))
        return
    table = Table()
    for n, heading in enumerate(
        headings
    ):  # what a row is called has to be there whole, since it is typed next
        table.add_column(heading, no_wrap=n == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(one_line, row))
    console.print(table)
