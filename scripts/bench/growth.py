"""How cost grows with slices, structures and clients: what the plots show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from scripts.bench.ct import ct_of
from scripts.bench.end_to_end import beside_model, timed
from scripts.bench.lab import Lab, Size, warm_up
from scripts.bench.models import PHANTOM, THRESHOLD_INT32, structures_model
from scripts.bench.throughput import small_jobs_per_second

SLICES = (8, 16, 32, 64, 128, 256, 512)
STRUCTURES = (1, 2, 5, 10, 20, 40)
STRUCTURES_SLICES = 128
CLIENTS = (1, 2, 4, 8, 16, 32)
ROUND_S = 2.0


@dataclass(frozen=True)
class Growth:
    """One plot: over `counts` of `what`, a line of `unit` for each name in `lines`."""

    what: str
    unit: str
    counts: tuple[int, ...]
    lines: dict[str, list[float]]


def measure(
    size: Size,
    slices: Sequence[int] = SLICES,
    structures: Sequence[int] = STRUCTURES,
    clients: Sequence[int] = CLIENTS,
    structures_slices: int = STRUCTURES_SLICES,
) -> list[Growth]:
    """Measure everything; every point is a median of as many rounds as `size` says."""
    with Lab(replace(size, seconds=min(size.seconds, ROUND_S))) as lab:
        return [
            with_slices(lab, slices),
            with_structures(lab, structures, structures_slices),
            with_clients(lab, clients),
        ]


def as_json(grown: Sequence[Growth]) -> dict[str, Any]:
    """Return the points."""
    return {
        growth.what: {"unit": growth.unit, "counts": growth.counts, "lines": growth.lines} for growth in grown
    }


def with_slices(lab: Lab, counts: Sequence[int]) -> Growth:
    """Return the seconds that a job takes, and the floor's."""
    lines: dict[str, list[float]] = {"floor": [], "phantom": [], "torch threshold": []}
    for count in counts:
        scan = ct_of(count)
        for model in (PHANTOM, THRESHOLD_INT32):
            warm_up(lab.server, model, scan)
        rounds = [
            (
                lab.floor_s(scan),
                timed(lab.server, PHANTOM, scan)["total"],
                timed(lab.server, THRESHOLD_INT32, scan)["total"],
            )
            for _ in range(lab.size.rounds)
        ]
        for line, values in zip(lines.values(), zip(*rounds, strict=True), strict=True):
            line.append(median(values))
    return Growth("slices", "seconds", tuple(counts), lines)


def with_structures(lab: Lab, counts: Sequence[int], slices: int) -> Growth:
    """Return the seconds that a job takes beside its model."""
    scan = ct_of(slices)
    line = []
    for count in counts:
        model = structures_model(count)
        warm_up(lab.server, model, scan)
        line.append(median(beside_model(lab.server, model, scan) for _ in range(lab.size.rounds)))
    name = f"{slices} slices, without the model's time"
    return Growth("structures", "seconds", tuple(counts), {name: line})


def with_clients(lab: Lab, counts: Sequence[int]) -> Growth:
    """Return how many small jobs a second all clients get done together."""
    line = [median(small_jobs_per_second(lab, count)) for count in counts]
    return Growth("clients", "jobs a second", tuple(counts), {"64 × 64 × 32, polled every 5 ms": line})
