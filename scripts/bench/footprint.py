"""Memory beyond idle, on servers that have just started, and within the memory of a small machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from scripts.bench.ct import SMALL_KJI, Ct, ct_of, load
from scripts.bench.job import run_job
from scripts.bench.lab import Lab, warm_up
from scripts.bench.memory import MB, Watch, peak, reset_peak
from scripts.bench.models import PHANTOM, THRESHOLD_INT16, THRESHOLD_INT32
from scripts.bench.rows import Row, medians
from scripts.bench.server import Server, serving

GATEWAY_MB, CORE_MB = 16.0, 48.0
ROOM_MB = 32.0
CLIENTS = 8
SMALL_MACHINE_BYTES = 2 * 1024**3
RAW_COPIES = {THRESHOLD_INT16: 1, THRESHOLD_INT32: 3}
"""How often a worker may hold the int16 voxels: mapped, and as an int32 copy twice as large."""


def upload(lab: Lab) -> Iterator[Row]:
    """Measure gateway and core while one large scan is posted."""
    scan = ct_of(lab.size.largest)
    rounds = [_upload_growth(scan, 1) for _ in range(lab.size.fresh_servers)]
    for process, target in (("gateway", GATEWAY_MB), ("core", CORE_MB)):
        name = f"{process}'s growth, upload of {lab.size.largest} slices"
        yield Row(name, "MB", tuple(one[process] for one in rounds), target)


def eight_clients(lab: Lab) -> Iterator[Row]:
    """Measure gateway and core while eight clients post at once; a job that fails ends the benchmark."""
    scan = ct_of(lab.size.middle)
    alone = [_upload_growth(scan, 1) for _ in range(lab.size.fresh_servers)]
    together = [_upload_growth(scan, CLIENTS) for _ in range(lab.size.fresh_servers)]
    yield Row(
        f"core's growth, {CLIENTS} uploads of {lab.size.middle} slices at once",
        "MB",
        tuple(one["core"] for one in together),
        CORE_MB,
        facts={"one_client_mb": medians(alone), "clients_mb": medians(together)},
    )


def _upload_growth(scan: Ct, clients: int) -> dict[str, float]:
    """Return by how many MB gateway and core grew at most, from idle to the last job's result."""
    with serving() as server:
        warm_up(server, PHANTOM, load(SMALL_KJI))
        processes = {"gateway": server.gateway, "core": server.core}
        idle = {name: reset_peak(process) for name, process in processes.items()}
        with ThreadPoolExecutor(clients) as threads:
            for job in [threads.submit(_one_job, server, scan) for _ in range(clients)]:
                job.result()
        return {name: (peak(process) - idle[name]) / MB for name, process in processes.items()}


def _one_job(server: Server, scan: Ct) -> None:
    with server.connect() as connection:
        run_job(connection, PHANTOM, scan.parts())


def worker(lab: Lab) -> Iterator[Row]:
    """Measure a warm worker while it runs a large scan."""
    scan = ct_of(lab.size.largest)
    for model, copies in RAW_COPIES.items():
        values = tuple(_worker_growth(model, scan) for _ in range(lab.size.fresh_servers))
        kind = model.split()[-1]
        target = (copies * scan.raw_bytes + scan.voxels) / MB + ROOM_MB
        yield Row(f"worker's growth, {kind} model, {lab.size.largest} slices", "MB", values, target)


def _worker_growth(model: str, scan: Ct) -> float:
    with serving() as server:
        warm_up(server, model, load(SMALL_KJI))
        (process,) = server.workers()
        idle = reset_peak(process)
        with server.connect() as connection:
            run_job(connection, model, scan.parts())
        return (peak(process) - idle) / MB


def small_machine(lab: Lab) -> Iterator[Row]:
    """Run a large scan on a server whose processes have 2 GiB of addresses each; add up what they take."""
    scan = ct_of(lab.size.largest)
    settings = {
        "SEGINT_SLOT_MEMORY_BYTES": str(SMALL_MACHINE_BYTES),
        "SEGINT_WARM_MEMORY_BYTES": str(SMALL_MACHINE_BYTES // 2),
    }
    for model, name in ((PHANTOM, "phantom"), (THRESHOLD_INT32, "torch threshold")):
        with serving(settings, SMALL_MACHINE_BYTES) as server, Watch(server.process) as watch:
            warm_up(server, model, scan)
        yield Row(
            f"whole server within 2 GiB, {name}, {lab.size.largest} slices",
            "MB",
            (watch.peak_bytes / MB,),
            SMALL_MACHINE_BYTES / MB,
        )
