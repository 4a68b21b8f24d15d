"""Draws the growth of cost, one small PNG each. Needs matplotlib (the extra `bench`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from scripts.bench.growth import Growth

SIZE_INCHES = (5.0, 3.2)
DOTS_PER_INCH = 110


def draw(grown: Sequence[Growth], folder: Path) -> list[Path]:
    """Draw each into `folder` under the name of what grows; return the files."""
    return [_draw(growth, folder / f"{growth.what}.png") for growth in grown]


def _draw(growth: Growth, path: Path) -> Path:
    figure = Figure(SIZE_INCHES, DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    for name, values in growth.lines.items():
        axes.plot(growth.counts, values, marker="o", markersize=3, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(growth.counts)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.minorticks_off()
    if growth.unit == "seconds":
        axes.set_yscale("log")  # what grows in step with the counts is a straight line
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(growth.what)
    axes.set_ylabel(growth.unit)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path)
    return path
