"""The table that a person reads, the JSON that holds everything, and the history that shows a slow-down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.bench.rows import Row

SLOWER = 1.15
"""A row is called worse than before when it is so by more than this factor."""
LOOK_BACK = 5
PHASES = ("upload", "acknowledge", "wait", "prepare", "model", "encode", "download", "total")
VERDICTS = {True: "met", False: "missed", None: ""}


def print_rows(console: Console, rows: Iterable[Row]) -> None:
    """Print every row with its target."""
    table = Table("", "original", "target", "median", "min", "max", "unit", "")
    for column in table.columns[1:6]:
        column.justify = "right"
    for row in rows:
        figures = map(number, (row.median, min(row.values), max(row.values)))
        original = number(row.original) if row.original else ""
        table.add_row(row.name, original, _target(row), *figures, row.unit, VERDICTS[row.met])
    console.print(table)


def print_phases(console: Console, rows: Iterable[Row]) -> None:
    """Print where the time of the jobs went."""
    table = Table("median milliseconds", *PHASES)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        if phases := row.facts.get("phases_s"):
            table.add_row(row.name, *(f"{1000 * phases[phase]:.0f}" for phase in PHASES))
    if table.row_count:
        console.print(table)


def markdown(rows: Sequence[Row]) -> str:
    """Return the tables as Markdown, for docs/performance.md."""
    lines = [
        "| | original | target | median | min | max | unit | |",
        "| --- |" + " ---: |" * 5 + " --- | --- |",
    ]
    for row in rows:
        figures = (number(row.median), number(min(row.values)), number(max(row.values)))
        original = number(row.original) if row.original else ""
        cells = (row.name, original, _target(row), *figures, row.unit, VERDICTS[row.met])
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| milliseconds | {' | '.join(PHASES)} |", "| --- |" + " ---: |" * len(PHASES)]
    for row in rows:
        if phases := row.facts.get("phases_s"):
            lines.append(f"| {row.name} | {' | '.join(f'{1000 * phases[name]:.0f}' for name in PHASES)} |")
    return "\n".join(lines)


def print_peaks(console: Console, peaks: dict[str, float]) -> None:
    """Print what each process of the timed server held at most."""
    if peaks:
        held = ", ".join(f"{name} {number(value)} MB" for name, value in peaks.items())
        console.print(f"At most resident since its start: {held}")


def print_machine(console: Console, machine: dict[str, Any]) -> None:
    """Print what it was measured on."""
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)


def number(value: float) -> str:
    """Return `value` with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 0.1 else 3}f}"


def document(
    machine: dict[str, Any], at: str, rows: Sequence[Row], peaks: dict[str, float]
) -> dict[str, Any]:
    """Return everything that was measured, for JSON."""
    return {"at": at, "machine": machine, "rows": [row.as_json() for row in rows], "peak_mb": peaks}


def worse_than_before(history: Path, machine: dict[str, Any], rows: Iterable[Row]) -> list[str]:
    """Return a sentence for each row that has become worse than the last records of such a machine."""
    earlier = [entry["rows"] for entry in _read(history) if entry["machine"] == _kind(machine)]
    return [sentence for row in rows if (sentence := _compare(row, earlier[-LOOK_BACK:]))]


def record(history: Path, machine: dict[str, Any], at: str, rows: Iterable[Row]) -> None:
    """Add the medians of `rows` to the history."""
    entry = {
        "at": at,
        "commit": machine["commit"],
        "machine": _kind(machine),
        "rows": {row.name: float(f"{row.median:.4g}") for row in rows},
    }
    history.parent.mkdir(parents=True, exist_ok=True)
    with history.open("a") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _target(row: Row) -> str:
    return "" if row.target is None else f"{'≥' if row.at_least else '≤'} {number(row.target)}"


def _compare(row: Row, earlier: Sequence[dict[str, float]]) -> str:
    before = [rows[row.name] for rows in earlier if row.name in rows]
    if not before:
        return ""
    usual = median(before)
    worse = row.median * SLOWER < usual if row.at_least else row.median > usual * SLOWER
    return f"{row.name}: {number(row.median)} {row.unit}, before {number(usual)}" if worse else ""


def _read(history: Path) -> list[dict[str, Any]]:
    if not history.exists():
        return []
    return [json.loads(line) for line in history.read_text().splitlines()]


def _kind(machine: dict[str, Any]) -> str:
    return f"{machine['processor']}, {machine['cores']} cores"
