"""From the last byte uploaded to the model's call: what a model waits for once its scan is there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.ct import ct_of
from scripts.bench.job import run_job
from scripts.bench.lab import Lab, warm_up
from scripts.bench.models import THRESHOLD_INT16, THRESHOLD_INT32, call_of
from scripts.bench.rows import Row

MODELS = ((THRESHOLD_INT16, "int16", 50.0), (THRESHOLD_INT32, "int32", 150.0))
TARGETS_FOR_SLICES = 256


def start(lab: Lab) -> Iterator[Row]:
    """Time the way from the client's last byte to a warm model's first instruction."""
    scan = ct_of(lab.size.largest)
    for model, name, target_ms in MODELS:
        warm_up(lab.server, model, scan)
        values = []
        for _ in range(lab.size.rounds):
            with lab.server.connect() as connection:
                run = run_job(connection, model, scan.parts())
            values.append((call_of(lab.server, model).begun_ns - run.sent_ns) / 1e6)
        target = target_ms if lab.size.largest == TARGETS_FOR_SLICES else None
        yield Row(f"last byte → {name} model called, {lab.size.largest} slices", "ms", tuple(values), target)
