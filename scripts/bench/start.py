"""From the last byte uploaded to the model's call: what a model waits for once its scan is there."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.ct import SMALL_KJI, Ct, ct_of, load
from scripts.bench.job import run_job
from scripts.bench.lab import Lab, warm_up
from scripts.bench.models import ONNX, THRESHOLD_INT16, THRESHOLD_INT32, call_of, install
from scripts.bench.rows import Row

MODELS = ((THRESHOLD_INT16, "int16", 50.0), (THRESHOLD_INT32, "int32", 150.0))
TARGETS_FOR_SLICES = 256
SECOND_JOBS = ((THRESHOLD_INT32, "torch model"), (ONNX, "ONNX model"))
SECOND_JOB_MS = 50.0


def start(lab: Lab) -> Iterator[Row]:
    """Time the way from the client's last byte to a warm model's first instruction."""
    scan = ct_of(lab.size.largest)
    for model, name, target_ms in MODELS:
        warm_up(lab.server, model, scan)
        target = target_ms if lab.size.largest == TARGETS_FOR_SLICES else None
        row = f"last byte → {name} model called, {lab.size.largest} slices"
        yield Row(row, "ms", _waits_ms(lab, model, scan), target)


def second_jobs(lab: Lab) -> Iterator[Row]:
    """Time the same with a small scan, which is ready with its last byte: the rest is the server's own."""
    scan = load(SMALL_KJI)
    for model, name in SECOND_JOBS:
        install(lab.server, model)
        first, *others = _waits_ms(lab, model, scan, 1 + lab.size.rounds)
        facts = {"first_job_ms": first}
        yield Row(
            f"second job: small scan in → {name} called", "ms", tuple(others), SECOND_JOB_MS, facts=facts
        )


def _waits_ms(lab: Lab, model: str, scan: Ct, rounds: int = 0) -> tuple[float, ...]:
    values = []
    for _ in range(rounds or lab.size.rounds):
        with lab.server.connect() as connection:
            run = run_job(connection, model, scan.parts())
        values.append((call_of(lab.server, model).begun_ns - run.sent_ns) / 1e6)
    return tuple(values)
