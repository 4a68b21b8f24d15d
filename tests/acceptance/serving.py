"""A real `segint serve` for the tests: real processes, free ports, a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SEGINT = str(Path(sys.executable).parent / "segint")
START_TIMEOUT_S = 90
STOP_TIMEOUT_S = 15


@dataclass
class Server:
    """A running server and its addresses."""

    process: subprocess.Popen[bytes]
    home: Path
    http: str
    grpc: str
    socket: str
    https: str = ""

    @property
    def url(self) -> str:
        return f"http://{self.http}"

    def processes(self) -> list[psutil.Process]:
        """The server's own process and everything under it, children of children included."""
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def find(self, words: str) -> psutil.Process:
        """The one child whose command line holds `words`, once it runs."""
        give_up = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up:
            with contextlib.suppress(psutil.NoSuchProcess, StopIteration):
                return next(p for p in self.processes() if words in " ".join(p.cmdline()))
            time.sleep(0.05)
        raise AssertionError(f"no process {words!r}")

    def model_processes(self) -> list[psutil.Process]:
        """The processes that hold a model: children of the fork server."""
        core = self.find("-m segint_grpc")
        return [p for child in core.children() for p in child.children()]

    def segint(self, *arguments: str) -> str:
        """Run the command line against this server's home; return what it printed."""
        return run_segint(*arguments, home=self.home)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)


def run_segint(*arguments: str, home: Path) -> str:
    done = subprocess.run(
        [SEGINT, *arguments],
        env={**os.environ, "SEGINT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(
    home: Path, http: str = "127.0.0.1:0", grpc: str = "127.0.0.1:0", **settings: object
) -> Iterator[Server]:
    """Serve from `home` while the context lasts; `settings` are any of SegInt's."""
    server = start(home, http, grpc, **settings)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def start(home: Path, http: str = "127.0.0.1:0", grpc: str = "127.0.0.1:0", **settings: object) -> Server:
    """Start a server and wait until it says that it is ready."""
    environment = {f"SEGINT_{name.upper()}": str(value) for name, value in settings.items()}
    reading, writing = os.pipe()
    log = (home.parent / f"{home.name}.out").open("ab")
    with log:
        process = subprocess.Popen(
            [
                *(SEGINT, "serve", "--home", str(home), "--http", http, "--grpc", grpc),
                *("--ready-fd", str(writing)),
            ],
            env={**os.environ, "SEGINT_FREE_DISK_MIN_BYTES": "0"} | environment,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
        )
    os.close(writing)
    with os.fdopen(reading) as ready:
        line = ready.readline()
    assert line, (home.parent / f"{home.name}.out").read_text()
    facts = json.loads(line)
    return Server(process, home, facts["http"], facts["grpc"], facts["socket"], facts.get("https", ""))
