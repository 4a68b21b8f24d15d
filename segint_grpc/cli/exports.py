"""Lists of records for programs: JSON, JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any

import click

Command = Callable[..., Any]
Record = dict[str, Any]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Form(StrEnum):
    """How a list is written."""

    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def form_options(command: Command) -> Command:
    """Give `command` the options --json, --jsonl and --csv, of which the last one counts, as `form`."""
    helps = {
        Form.JSON: "As a JSON list.",
        Form.JSONL: "As JSON lines: one record each.",
        Form.CSV: "As CSV, with a heading.",
    }
    for form, text in reversed(helps.items()):
        command = click.option(f"--{form}", "form", flag_value=form.value, help=text)(command)
    return command


def write_json(records: Iterable[Record]) -> None:
    """Print `records` as one list."""
    click.echo(json.dumps(list(records), indent=1, ensure_ascii=False))


def write_lines(records: Iterable[Record]) -> None:
    """Print each of `records` as a line of JSON, as soon as it is there."""
    for record in records:
        click.echo(json.dumps(record, ensure_ascii=False))


def write_csv(columns: Sequence[str], records: Iterable[Record]) -> None:
    """Print `columns` and the `records`; None is empty, and several texts are parted by semicolons.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, and what would command a
    terminal becomes a space: users of clients wrote some of them, and whoever looks at the file did not
    choose to run anything.
    """
    click.echo(_csv_line(columns))
    for record in records:
        click.echo(_csv_line([_cell(record[column]) for column in columns]))


def _csv_line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    plain = "".join(c if c.isprintable() or c in "\n\t" else " " for c in value)
    return f"'{plain}" if value.startswith(FORMULA_STARTS) else plain
