"""The fork server's own process: a single thread that has torch loaded and makes model processes by fork.

It is exec'ed, so that nothing of the core (gRPC, SQLite, threads) is in it, and alone starts, kills and
reaps model processes: a pid is never signalled after it was reaped. Orders arrive on a SOCK_SEQPACKET
socket; its end means that the core is gone, and then everything down from here is killed.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from segint_grpc import lifeline
from segint_grpc.worker import kernel, messages

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(
    control_fd: int, parent: int, preload: Sequence[str], settle: Callable[[], None] = lambda: None
) -> NoReturn:
    """Call `settle`, import `preload`, say so, and serve the orders of `parent` (a pid) until it is gone."""
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    # While modules are imported nobody listens to the socket, so the kernel has to end this process.
    lifeline.die_with_parent(parent_pid=parent)
    kernel.adopt_orphans()
    settle()
    missing = _preload(preload)
    # From here on the socket's end tells, and leaves time to end processes that a model has started.
    kernel.outlive_parent()
    with socket.socket(fileno=control_fd) as control:
        control.send(messages.pack(messages.READY, missing=missing))
        ForkLoop(control).serve()
    # Taking torch down in good order would take a second, and there is nothing to save.
    os._exit(0)


def _preload(names: Sequence[str]) -> dict[str, str]:
    """Import `names` and return why what is missing is missing, by module."""
    missing = {}
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            # A back end whose libraries are missing or broken must not keep the others from working.
            missing[name] = f"{type(error).__name__}: {error}"
    return missing


class ForkLoop:
    """Waits for orders and for children that end, and answers with what became of them."""

    def __init__(self, control: socket.socket) -> None:
        """Answer to `control`."""
        self._control = control
        self._pids: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._woken, self._wake = socket.socketpair()
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until the core is gone, then kill what is left."""
        for end in (self._woken, self._wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno())
        self._selector.register(self._control, selectors.EVENT_READ, self._obey)
        self._selector.register(self._woken, selectors.EVENT_READ, self._bury)
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                for key, _ in self._selector.select():
                    key.data()
        self._end()

    def _obey(self) -> None:
        line, descriptors, _, _ = socket.recv_fds(self._control, messages.LINE_MAX_BYTES, 1)
        if not line:
            raise EOFError
        order = messages.unpack(line)
        if order["kind"] == messages.FORK:
            self._fork(order, descriptors[0])
        elif order["number"] in self._pids:
            os.kill(self._pids[order["number"]], signal.SIGKILL)

    def _fork(self, order: dict[str, Any], descriptor: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._control.send(messages.pack(messages.REFUSED, number=order["number"], text=str(error)))
            os.close(descriptor)
            return
        if pid == 0:
            self._become_child(order, descriptor, server)
        os.close(descriptor)
        self._pids[order["number"]] = pid
        self._numbers[pid] = order["number"]

    def _become_child(self, order: dict[str, Any], descriptor: int, server: int) -> NoReturn:
        code = 1
        try:
            lifeline.die_with_parent(parent_pid=server)
            signal.set_wakeup_fd(-1)
            for number in (*_IGNORED, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for inherited in (self._control, self._woken, self._wake, self._selector):
                inherited.close()
            child = importlib.import_module("segint_grpc.worker.child")
            code = child.main(socket.socket(fileno=descriptor), order)
        except BaseException:
            # Whatever a model has brought about: this frame must not return into the fork server's loop.
            traceback.print_exc()
        finally:
            os._exit(code)

    def _bury(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell(*ended)
        self._kill_orphans()

    def _tell(self, pid: int, status: int) -> None:
        number = self._numbers.pop(pid, None)
        if number is not None:
            del self._pids[number]
            code = os.waitstatus_to_exitcode(status)
            self._control.send(messages.pack(messages.EXITED, number=number, code=code))

    def _kill_orphans(self) -> None:
        """Kill what an ended model process has left behind (this process is their subreaper)."""
        for pid in kernel.children():
            with contextlib.suppress(ProcessLookupError):
                if pid not in self._numbers and os.getsid(pid) not in self._numbers:
                    os.kill(pid, signal.SIGKILL)

    def _end(self) -> None:
        self._numbers.clear()
        while pids := kernel.children():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, 0)
