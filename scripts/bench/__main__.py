"""`python -m scripts.bench`: measure, print, keep. The exit code is 1 where a target is missed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from scripts.bench import growth, machine, options, plots, report
from scripts.bench.catalogue import MEASUREMENTS
from scripts.bench.lab import Lab, Size
from scripts.bench.rows import Row


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for."""
    wanted = options.parse(arguments)
    if wanted.plots:
        return plot(wanted.plots, options.size_of(wanted))
    at, here = now(), machine.facts()
    with Lab(options.size_of(wanted)) as lab:
        rows = [row for name in options.chosen(wanted) for row in measure(name, lab)]
        peaks = lab.peaks_mb()
    slower = report.worse_than_before(options.HISTORY, here, rows)
    if wanted.markdown:
        wanted.markdown.write_text(report.markdown(rows) + "\n")
    if wanted.json:
        write(wanted.json, report.document(here, at, rows, peaks))
    if wanted.record:
        report.record(options.HISTORY, here, at, rows)
    show(here, rows, peaks, slower)
    return int(any(row.met is False for row in rows))


def measure(name: str, lab: Lab) -> list[Row]:
    """Make one measurement, and say so meanwhile: the whole takes minutes."""
    say(f"{name} …")
    return list(MEASUREMENTS[name](lab))


def show(
    here: dict[str, object], rows: Sequence[Row], peaks: dict[str, float], slower: Sequence[str]
) -> None:
    """Print the tables, and what has become worse."""
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    report.print_machine(console, here)
    report.print_rows(console, rows)
    report.print_phases(console, rows)
    report.print_peaks(console, peaks)
    for sentence in slower:
        console.print(f"[bold]Worse than before:[/bold] {sentence}")


def plot(folder: Path, size: Size) -> int:
    """Measure how cost grows, and plot it into `folder`."""
    say("growth with slices, structures and clients …")
    grown = growth.measure(size)
    folder.mkdir(parents=True, exist_ok=True)
    plots.draw(grown, folder)
    write(folder / "growth.json", {"at": now(), "machine": machine.facts(), **growth.as_json(grown)})
    return 0


def write(path: Path, content: dict[str, object]) -> None:
    """Write `content` as JSON."""
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def now() -> str:
    """Return the time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def say(sentence: str) -> None:
    """Tell a person; stdout is for the tables."""
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
