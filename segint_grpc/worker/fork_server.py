"""The core's side of the fork server: starting it, giving it orders, hearing what became of them.

The fork server is exec'ed and never forked off the core, so it may be started again at any time, though
gRPC and SQLite exist by then; the first start comes before them because it then costs no waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segint_grpc.guests.outside import Interpreter, environment
from segint_grpc.worker import messages

Listener = Callable[[dict[str, Any] | None], None]
"""Is called with each message of the fork server (worker/messages.py), and with None once it has died."""

PRELOAD = (
    "numpy",
    "torch",
    "segint_grpc.worker.child",
    "segint_grpc.backends.phantom",
    "segint_grpc.backends.pytorch",
)
"""What model processes have imported when they begin; what is missing here is missing there."""

CLOSE_PATIENCE_S = 2.0
SAID_BYTES = 4096

_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from segint_grpc.worker.fork_loop import main
main({fd}, {pid}, {preload!r})
"""
_GUEST_PROGRAM = """\
from segint_grpc.worker.fork_loop import main
main({fd}, {pid}, {preload!r}, lambda: inside.settle(facts))
"""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP's threads sleep while they wait for each other. Spinning, as is their default, they keep
each other off cores that others want, too, and a network of many small steps takes many times as long."""


def start(threads: int = 1, preload: Sequence[str] = PRELOAD) -> ForkServer:
    """Start the fork server without waiting for it; its model processes compute with `threads` threads."""

    def command(fd: int) -> list[str]:
        program = _PROGRAM.format(path=sys.path, fd=fd, pid=os.getpid(), preload=tuple(preload))
        return [sys.executable, "-c", program]

    control, process = _started(command, os.environ, threads)
    return ForkServer(control, process, lambda: start(threads, preload))


def start_guest(interpreter: Interpreter, threads: int = 1) -> ForkServer:
    """Start a fork server that is a process of `interpreter`; what it says before it serves is kept (`said`).

    Raises:
        OSError: its executable cannot be run.
    """

    def command(fd: int) -> list[str]:
        return interpreter.command(_GUEST_PROGRAM.format(fd=fd, pid=os.getpid(), preload=PRELOAD))

    stderr = os.memfd_create("stderr")
    try:
        control, process = _started(command, environment(), threads, stderr)
    except OSError:
        os.close(stderr)
        raise
    return ForkServer(control, process, lambda: start_guest(interpreter, threads), stderr)


def _started(
    command: Callable[[int], list[str]],
    variables: Mapping[str, str],
    threads: int,
    stderr: int | None = None,
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start `command(fd)`, which serves the socket `fd`; return our end of that, and the process."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            process = subprocess.Popen(
                command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=[theirs.fileno()],
                env={**_WAITING, **variables, **dict.fromkeys(_THREAD_VARIABLES, str(threads))},
            )
        except OSError:
            control.close()
            raise
    control.setblocking(False)
    return control, process


class ForkServer:
    """A running fork server. `close` ends it with every model process that it has made.

    `serving` is False while it still imports; orders given meanwhile wait for it.
    """

    def __init__(
        self,
        control: socket.socket,
        process: subprocess.Popen[bytes],
        again: Callable[[], ForkServer],
        stderr: int | None = None,
    ) -> None:
        """Speak to `process` through `control`; `again` starts another like it.

        `stderr` is the file in memory that its standard error goes to, if any; it is closed here.
        """
        self.start_again = again
        self._control = control
        self._process = process
        self._stderr = stderr
        self._loop: asyncio.AbstractEventLoop | None = None
        self.serving = False

    @property
    def pid(self) -> int:
        """The fork server's pid."""
        return self._process.pid

    def listen(self, listener: Listener) -> None:
        """Call `listener` in the running event loop with every message, those already waiting included."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control, self._hear, listener)

    def fork(self, number: int, theirs: socket.socket, log: Path, limits: dict[str, int]) -> None:
        """Order a model process, to be known as `number`, at the other end of `theirs`.

        Raises:
            OSError: the fork server is gone.
        """
        order = messages.pack(messages.FORK, number=number, log=str(log), **limits)
        socket.send_fds(self._control, [order], [theirs.fileno()])

    def kill(self, number: int) -> None:
        """Order SIGKILL for the model process `number`; without effect if it or the fork server has died."""
        with contextlib.suppress(OSError):
            self._control.send(messages.pack(messages.KILL, number=number))

    def said(self) -> str:
        """Return the end of what it has written to a standard error that is kept."""
        if self._stderr is None:
            return ""
        size_bytes = os.fstat(self._stderr).st_size
        return os.pread(self._stderr, SAID_BYTES, max(0, size_bytes - SAID_BYTES)).decode(errors="replace")

    async def close(self) -> None:
        """Kill every model process and end the fork server."""
        self._hang_up()
        try:
            if self.serving:
                await asyncio.to_thread(self._process.wait, CLOSE_PATIENCE_S)
        except subprocess.TimeoutExpired:
            # Somebody has stopped it. The kernel ends its model processes with it.
            pass
        finally:
            self._process.kill()
            self._process.wait()
            if self._stderr is not None:
                os.close(self._stderr)
                self._stderr = None

    def _hear(self, listener: Listener) -> None:
        try:
            line = self._control.recv(messages.LINE_MAX_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            line = b""
        if line:
            message = messages.unpack(line)
            self.serving = self.serving or message["kind"] == messages.READY
            listener(message)
            return
        self._hang_up()
        listener(None)

    def _hang_up(self) -> None:
        if self._loop is not None and self._control.fileno() != -1:
            self._loop.remove_reader(self._control)
        self._control.close()
