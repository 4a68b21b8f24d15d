"""A process that owns a pool with one run under way: FOLDER. Prints a line once the model is at work."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.worker_bench import Bench, doing

BUSY = doing("""
    subprocess.Popen(["sleep", "600"])
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    progress(0.5)
    ctypes.PyDLL(None).sleep(600)
""")


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


async def _own(folder: Path) -> None:
    bench = Bench(folder)
    server = fork_server.start()
    say(server.pid)
    async with WorkerPool(server, bench.options()) as pool:
        await pool.wait_ready()
        say("ready", *sorted({"torch", "grpc", "peewee"} & set(sys.modules)))
        task = bench.task(bench.model(BUSY))
        await pool.run("slot-1", task, lambda stage, share: say("busy") if share == 0.5 else None)


if __name__ == "__main__":
    asyncio.run(_own(Path(sys.argv[1])))
