"""A real `segint serve`: free ports, a home of its own, its processes by what they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.bench import own_backends
from scripts.bench.connection import Connection
from segint_grpc.home import Home

SAMPLE = "Centered Orange Square"
"""The version that every new server offers: the phantom."""
SEGINT = (sys.executable, "-m", "segint_grpc.cli.main")
STOP_TIMEOUT_S = 30
_STAGE_SUM = 'segint_stage_seconds_sum{stage="'


@dataclass
class Server:
    """A server that answers at `address` (HOST:PORT); `folder` is for whatever belongs to it."""

    process: psutil.Process
    address: str
    folder: Path
    models: set[str] = field(default_factory=lambda: {SAMPLE})

    @property
    def home(self) -> Home:
        """Its home."""
        return Home(self.folder / "home")

    def connect(self, headers: Sequence[str] = ()) -> Connection:
        """Return a new connection whose requests bring `headers`."""
        return Connection(self.address, headers)

    @property
    def core(self) -> psutil.Process:
        """The core."""
        return self._child("segint_grpc")

    @property
    def gateway(self) -> psutil.Process:
        """The gateway."""
        return self._child("http_gateway")

    def workers(self) -> list[psutil.Process]:
        """Return the processes that hold a model."""
        return [worker for fork_server in self.core.children() for worker in fork_server.children()]

    def processes(self) -> dict[str, psutil.Process]:
        """Every process that belongs to the server, by what it is."""
        found = {"serve": self.process, "core": self.core, "gateway": self.gateway}
        return found | {f"worker {number}": worker for number, worker in enumerate(self.workers(), 1)}

    def stage_seconds(self) -> dict[str, float]:
        """Return the seconds that each stage of jobs has taken since the start, all jobs together."""
        with self.connect() as connection:
            lines = connection.get("/metrics").body.decode().splitlines()
        sums = (line.removeprefix(_STAGE_SUM) for line in lines if line.startswith(_STAGE_SUM))
        return {stage: float(value) for stage, value in (line.split('"} ') for line in sums)}

    def _child(self, module: str) -> psutil.Process:
        return next(child for child in self.process.children() if module in child.cmdline())


@contextmanager
def serving(
    environment: Mapping[str, str] | None = None, address_space_bytes: int | None = None
) -> Iterator[Server]:
    """Serve while the context lasts, each process within `address_space_bytes` (RLIMIT_AS) where given.

    Raises:
        RuntimeError: the server did not start; its own words are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="segint-bench-") as temporary:
        folder = Path(temporary)
        environment = {**own_backends.register(folder), **(environment or {})}
        command = (*_limited(address_space_bytes), *SEGINT, "serve", "--home", str(folder / "home"))
        process, address = _start(command, folder / "serve.out", environment)
        try:
            yield Server(psutil.Process(process.pid), address, folder)
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def _limited(address_space_bytes: int | None) -> tuple[str, ...]:
    if address_space_bytes is None:
        return ()
    return ("sh", "-c", 'ulimit -v "$0" && exec "$@"', str(address_space_bytes // 1024))


def _start(
    command: tuple[str, ...], log: Path, environment: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], str]:
    reader, writer = os.pipe()
    free = ("--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0")
    with log.open("wb") as output:
        process = subprocess.Popen(
            (*command, *free, "--ready-fd", str(writer), "--die-with-parent"),
            env={**os.environ, "SEGINT_FREE_DISK_MIN_BYTES": "0", **environment},
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
        )
    os.close(writer)
    with os.fdopen(reader) as pipe:
        line = pipe.readline()
    if not line:
        process.wait()
        raise RuntimeError(f"segint serve did not start: {log.read_text()}")
    return process, str(json.loads(line)["http"])
