"""From the first byte posted to the last byte fetched, as a ratio to the floor, in turn with it."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from scripts.bench.ct import Ct, ct_of
from scripts.bench.job import NS, Run, run_job
from scripts.bench.lab import Lab, warm_up
from scripts.bench.models import PHANTOM, THRESHOLD_INT32, call_of, structures_model
from scripts.bench.rows import Row, medians
from scripts.bench.server import Server

TARGETS = {
    PHANTOM: {32: 1.0, 128: 0.65, 256: 0.6},
    THRESHOLD_INT32: {32: 1.3, 128: 0.85, 256: 0.8},
}
ORIGINALS = {
    PHANTOM: {32: 2.3, 128: 1.8, 256: 1.65},
    THRESHOLD_INT32: {32: 5.2, 128: 4.2, 256: 4.2},
}
STRUCTURE_TARGET = 0.04


def phantom(lab: Lab) -> Iterator[Row]:
    """Time the phantom's jobs."""
    return _jobs(lab, PHANTOM, "phantom")


def threshold(lab: Lab) -> Iterator[Row]:
    """Time the jobs of the threshold that runs through torch on int32."""
    return _jobs(lab, THRESHOLD_INT32, "torch threshold")


def _jobs(lab: Lab, model: str, name: str) -> Iterator[Row]:
    for slices in lab.size.slices:
        scan = ct_of(slices)
        warm_up(lab.server, model, scan)
        floors, jobs = [], []
        for _ in range(lab.size.rounds):
            floors.append(lab.floor_s(scan))
            jobs.append(timed(lab.server, model, scan))
        yield Row(
            f"{name}, {slices} slices",
            "× floor",
            tuple(job["total"] / floor for job, floor in zip(jobs, floors, strict=True)),
            TARGETS[model].get(slices),
            ORIGINALS[model].get(slices),
            facts={
                "floor_s": median(floors),
                "phases_s": medians(jobs),
                "raw_bytes": scan.raw_bytes,
                "body_bytes": len(scan.body),
            },
        )


def structures(lab: Lab) -> Iterator[Row]:
    """Time what each structure after the first adds, the model's own time left out."""
    scan, count = ct_of(lab.size.middle), lab.size.structures
    one, many = structures_model(1), structures_model(count)
    for model in (one, many):
        warm_up(lab.server, model, scan)
    values, phases = [], []
    for _ in range(lab.size.rounds):
        floor_s = lab.floor_s(scan)
        first_s = beside_model(lab.server, one, scan)
        job = timed(lab.server, many, scan)
        all_s = job["total"] - call_of(lab.server, many).seconds
        values.append((all_s - first_s) / (count - 1) / floor_s)
        phases.append(job)
    yield Row(
        f"each of {count} structures after the first, {lab.size.middle} slices",
        "× floor",
        tuple(values),
        STRUCTURE_TARGET,
        facts={"phases_s": medians(phases)},
    )


def beside_model(server: Server, model: str, scan: Ct) -> float:
    """Run one job of `model`, which keeps a journal; return its seconds without the model's own."""
    return timed(server, model, scan)["total"] - call_of(server, model).seconds


def timed(server: Server, model: str, scan: Ct) -> dict[str, float]:
    """Run one job of `model` alone on `server`; return its phases and their total in seconds.

    The stages of the worker come from the server's figures, the rest from the client's clock. `wait` is
    what lies between the acknowledgement and the last poll beside those stages.
    """
    before = server.stage_seconds()
    with server.connect() as connection:
        run = run_job(connection, model, scan.parts())
    after = server.stage_seconds()
    return _phases(run, {stage: after[stage] - before.get(stage, 0.0) for stage in after})


def _phases(run: Run, stages: dict[str, float]) -> dict[str, float]:
    wait_s = (run.ended_ns - run.accepted_ns) / NS - sum(stages.values())
    return {
        "upload": (run.sent_ns - run.begun_ns) / NS,
        "acknowledge": (run.accepted_ns - run.sent_ns) / NS,
        "wait": wait_s,
        "prepare": stages.get("load", 0.0) + stages.get("prepare", 0.0),
        "model": stages.get("infer", 0.0),
        "encode": stages.get("encode", 0.0),
        "download": (run.fetched_ns - run.ended_ns) / NS,
        "total": run.total_s,
    }
