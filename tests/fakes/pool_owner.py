"""A process that owns a pool with one run under way: FOLDER [PYTHON]. Prints a line once it is at work.

With PYTHON, the path of a group's interpreter, the model runs there.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes import group_environment
from tests.fakes.worker_bench import Bench, doing

BUSY_BODY = """
    subprocess.Popen(["sleep", "600"])
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    progress(0.5)
    ctypes.PyDLL(None).sleep(600)
"""


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


async def _own(folder: Path, python: str = "") -> None:
    bench = Bench(folder)
    options = bench.options(interpreters={"group": python} if python else {})
    server = fork_server.start()
    say(server.pid)
    async with WorkerPool(server, options) as pool:
        await pool.wait_ready()
        say("ready", *sorted({"torch", "grpc", "peewee"} & set(sys.modules)))
        theirs = bench.model(group_environment.doing(BUSY_BODY), backend="grouped", interpreter="group")
        task = bench.task(theirs if python else bench.model(doing(BUSY_BODY)))
        await pool.run("slot-1", task, lambda stage, share: say("busy") if share == 0.5 else None)


if __name__ == "__main__":
    asyncio.run(_own(Path(sys.argv[1]), *sys.argv[2:]))
