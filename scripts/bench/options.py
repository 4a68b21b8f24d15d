"""The benchmark's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scripts.bench.catalogue import MEASUREMENTS, SLOW
from scripts.bench.lab import QUICK, Size
from scripts.bench.machine import ROOT

NOTES = ROOT / "docs" / "performance"
HISTORY = NOTES / "history.jsonl"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="bench.sh", description="Measure a real server.")
    add = parser.add_argument
    add("--quick", action="store_true", help="less of everything, in under a minute")
    add("--only", nargs="+", choices=MEASUREMENTS, metavar="WHAT", help=", ".join(MEASUREMENTS))
    add("--markdown", type=Path, metavar="FILE", help="write the tables as docs/performance.md has them")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--record", action="store_true", help=f"add the medians to docs/performance/{HISTORY.name}")
    add("--plots", type=Path, nargs="?", const=NOTES, metavar="DIR", help="plot how cost grows, instead")
    add("--slices", type=int, nargs="+", metavar="N", help="sizes of the scans, 512 × 512 × N")
    add("--rounds", type=int, metavar="N", help="how often each figure is taken")
    add("--seconds", type=float, metavar="S", help="how long a round of questions or small jobs lasts")
    return parser.parse_args(arguments)


def size_of(options: argparse.Namespace) -> Size:
    """Return how much to measure."""
    size = QUICK if options.quick else Size()
    if options.slices:
        slices = tuple(sorted(options.slices))
        size = replace(size, slices=slices, largest=slices[-1], middle=slices[len(slices) // 2])
    if options.rounds:
        size = replace(size, rounds=options.rounds, fresh_servers=min(options.rounds, size.fresh_servers))
    return replace(size, seconds=options.seconds or size.seconds)


def chosen(options: argparse.Namespace) -> list[str]:
    """Return the names of the measurements to make."""
    return options.only or [name for name in MEASUREMENTS if not (options.quick and name in SLOW)]
