"""The server in the background: segint_run starts it and waits until it is ready, segint_kill stops it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segint_grpc import errors, settings
from segint_grpc.home import Home, private_umask
from segint_grpc.serve import record
from segint_grpc.serve.record import Running

SERVE = (sys.executable, "-m", "segint_grpc.cli.main", "serve")
STOP_S = 15.0
"""A server ends within 10 s of SIGTERM; after this long it is killed."""


def start(home: Home, arguments: Sequence[str], serve: tuple[str, ...] = SERVE) -> tuple[Running, bool]:
    """Start a server in `home` that goes on when the terminal is closed; return it once it is ready.

    The second value is False where segint_run had started one already: then nothing is done.

    Raises:
        StartRefused: the server did not start, and the message is what it said; or one runs already that was
            given other options than `arguments`.
    """
    running = record.read(record.background_file(home))
    if running is not None:
        _check_same(running, arguments)
        return running, False
    private_umask()
    home.create()
    output = home.logs / "serve.out"
    reader, writer = os.pipe()
    with os.fdopen(reader) as pipe, output.open("wb") as sink:
        process = subprocess.Popen(
            (*serve, *arguments, "--ready-fd", str(writer)),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, settings.variable("home"): str(home.path)},
            pass_fds=(writer,),
            start_new_session=True,
        )
        os.close(writer)
        line = pipe.readline()
    if not line:
        process.wait()
        raise errors.StartRefused(_last_words(output))
    running = record.read(record.serve_file(home)) or record.of(process.pid, home, json.loads(line))
    running = replace(running, options=tuple(arguments))
    record.write(record.background_file(home), running)
    process.returncode = 0  # It is meant to outlive this process: no warning that nobody waited for it.
    return running, True


def stop(home: Home, patience_s: float = STOP_S) -> Running | None:
    """Stop the server that `start` started in `home` and wait for its end; None where there is none."""
    path = record.background_file(home)
    running = record.read(path)
    if running is not None:
        _end(running, patience_s)
    path.unlink(missing_ok=True)
    return running


def home_of(overrides: Mapping[str, object]) -> Home:
    """Return the home that the command line, the environment or the default names."""
    return Home(settings.load(overrides).home_path)


def _check_same(running: Running, arguments: Sequence[str]) -> None:
    if arguments and tuple(arguments) != running.options:
        raise errors.StartRefused(
            f"SegInt already runs in the background (process {running.pid}), started with "
            f"{shlex.join(running.options) or 'no options'}; stop it with segint_kill first."
        )


def _last_words(output: Path) -> str:
    lines = [line for line in output.read_text(errors="replace").splitlines() if line.strip()]
    said = " ".join(lines[-3:]).removeprefix("segint: ")
    return said or f"The server ended without a word; see the logs beside {output}."


def _end(running: Running, patience_s: float) -> None:
    """Send SIGTERM, wait, and as a last resort SIGKILL; waits by pidfd, since it is no child of ours."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(running.pid)
        try:
            if record.identity(running.pid) != running.identity:
                return
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not _wait(descriptor, patience_s):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _wait(descriptor, patience_s)
        finally:
            os.close(descriptor)


def _wait(descriptor: int, patience_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(patience_s * 1000))
