"""The core's handle of one model process: what it says, what it is told, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.jobs import Result, Stage
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.progress import Position, clamped
from segint_grpc.guests.packing import pack
from segint_grpc.worker import messages
from segint_grpc.worker.task import LoadTask, RunTask

Report = Callable[[Stage, float], None]
"""Takes the stage that a run has reached and the share of it (0 to 1) that is done; neither goes back."""

SILENCE_S = 0.5
"""How long a process whose connection is cut may live on: its exit code follows at once if it is dying."""

DEVICE_MAX = 20

_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class ModelProcess:
    """One model process. Everything happens in the event loop; nothing here waits or polls."""

    def __init__(self, number: int, connection: socket.socket, kill: Callable[[int], None]) -> None:
        """Listen on `connection`; `kill(number)` orders the process's SIGKILL."""
        loop = asyncio.get_running_loop()
        self.number = number
        # 0 until the process is ready: it says so itself, before any of the model's code runs.
        self.pid = 0
        # It has said that it runs nothing more, and is about to end.
        self.spent = False
        self.ready: asyncio.Future[bool] = loop.create_future()
        self.exited: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._connection = connection
        self._kill = kill
        self._kill_reason: errors.SegIntError | None = None
        self._heard = b""
        self._at: Position | None = None
        self._report: Report | None = None
        self._outcome: asyncio.Future[Result] | None = None
        connection.setblocking(False)
        loop.add_reader(connection, self._hear)

    async def run(self, task: RunTask | LoadTask, report: Report) -> Result:
        """Have the process run `task` and return what it made.

        Raises:
            JobFailure: the process says so, or died by itself.
            RunCutShort: it was killed from outside.
        """
        if self.exited.done():
            raise errors.RunCutShort("The model's process ended before the job began.")
        outcome: asyncio.Future[Result] = self._loop.create_future()
        self._outcome = outcome
        self._report, self._at = report, None
        sending = self._loop.create_task(self._send(task))
        try:
            return await outcome
        finally:
            self._outcome = self._report = None
            sending.cancel()
            if outcome.done() and not outcome.cancelled():
                outcome.exception()

    def kill(self, reason: errors.SegIntError) -> None:
        """Order SIGKILL; a run that still waits gets `reason`."""
        if not self.exited.done():
            self._kill_reason = self._kill_reason or reason
            self._kill(self.number)

    def kill_group(self) -> None:
        """Kill the process and what it started, here and now: for when its fork server has died.

        The kernel has killed the process itself by then, but not the children it may have had.
        """
        if self.pid and not self.exited.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def end(self, reason: errors.SegIntError) -> None:
        """Kill the process and wait until it is dead; a cancelled caller only stops waiting."""
        self.kill(reason)
        await asyncio.shield(self.exited)

    async def wait_ready(self, patience_s: float) -> bool:
        """Return True once the process says that it is ready, False if it ends or takes too long."""
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(self.ready)
        except TimeoutError:
            return False

    def note_exit(self, code: int | None, why: errors.SegIntError | None = None) -> None:
        """Take note that the process is gone: `code` as subprocess has it, or None and `why`."""
        if self.exited.done():
            return
        self._drain()
        self._loop.remove_reader(self._connection)
        self._loop.remove_writer(self._connection)
        self._connection.close()
        self._settle(self._cause(code, why))
        if not self.ready.done():
            self.ready.set_result(False)
        self.exited.set_result(None)

    async def _send(self, task: RunTask | LoadTask) -> None:
        # A process that dies meanwhile breaks the pipe; how it died is told by its exit.
        with contextlib.suppress(OSError, ValueError):
            await self._loop.sock_sendall(self._connection, pack(task))

    def _cause(self, code: int | None, why: errors.SegIntError | None) -> errors.SegIntError:
        if code is None:
            return why or errors.RunCutShort("The fork server ended while the job ran.")
        if code >= 0 and not self.ready.done():
            return errors.RunCutShort(f"The model's process could not begin (exit code {code}).")
        if code >= 0:
            return errors.WorkerDied(f"The model ended its own process with exit code {code}.")
        if code == -signal.SIGKILL and self._kill_reason is not None:
            return self._kill_reason
        return _signalled(-code)

    def _settle(self, outcome: Result | BaseException) -> None:
        if self._outcome is None or self._outcome.done():
            return
        if isinstance(outcome, Result):
            self._outcome.set_result(outcome)
        else:
            self._outcome.set_exception(outcome)

    def _hear(self) -> None:
        if self._drain():
            self._loop.remove_reader(self._connection)
            mute = errors.WorkerDied("The model cut the connection of its own process.")
            self._loop.call_later(SILENCE_S, self.kill, mute)

    def _drain(self) -> bool:
        """Take every line that is there; return True if there will never be another."""
        try:
            while piece := self._connection.recv(messages.LINE_MAX_BYTES):
                *lines, self._heard = (self._heard + piece).split(b"\n")
                for line in lines:
                    self._take(line)
                if len(self._heard) > messages.LINE_MAX_BYTES:
                    raise ValueError("an endless line")
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        except (ValueError, KeyError, TypeError):
            self.kill(errors.WorkerDied("The model's process said what is no message of this server."))
        return True

    def _take(self, line: bytes) -> None:
        message = messages.unpack(line)
        if message["kind"] == messages.READY and not self.ready.done():
            self.pid = int(message["pid"])
            self.ready.set_result(True)
        elif message["kind"] == messages.PROGRESS:
            self._pass_on(Position(Stage(message["stage"]), clamped(message["share"])))
        elif message["kind"] == messages.DONE:
            self.spent = bool(message.get("spent"))
            self._settle(_result(message))
        elif message["kind"] == messages.FAILED:
            self._settle(_failure(message))

    def _pass_on(self, at: Position) -> None:
        if self._at is not None and not at.follows(self._at):
            return
        self._at = at
        try:
            if self._report is not None:
                self._report(at.stage, at.share)
        except Exception as error:
            # Raised by the pool's user, who hears of it where the run is awaited.
            self._settle(error)


def _signalled(number: int) -> errors.SegIntError:
    # Real-time signals have no name.
    name = next((known.name for known in signal.Signals if known == number), f"signal {number}")
    meaning = signal.strsignal(number) or "unknown"
    if number in _FROM_OUTSIDE:
        hint = " (the system does so when memory runs out)" if number == signal.SIGKILL else ""
        return errors.RunCutShort(f"The model's process was ended from outside by {name}{hint}.")
    return errors.WorkerDied(f"The model's process died of {name} ({meaning}).")


def _result(message: dict[str, Any]) -> Result:
    return Result(
        size_bytes=int(message["size_bytes"]),
        sha256=str(message["sha256"]),
        peak_memory_bytes=int(message["peak_memory_bytes"]),
        warnings=tuple(str(warning) for warning in message["warnings"]),
        voxels=int(message["voxels"]),
        volumes_ml={str(name): float(volume) for name, volume in message["volumes_ml"].items()},
        load=_load(message.get("load")),
    )


def _load(told: dict[str, Any] | None) -> ModelLoad | None:
    if told is None:
        return None
    sizes = (int(told["memory_bytes"]), int(told["gpu_memory_bytes"]))
    return ModelLoad(float(told["seconds"]), *sizes, str(told["device"])[:DEVICE_MAX])


def _failure(message: dict[str, Any]) -> errors.JobFailure:
    kind = getattr(errors, str(message["error"]), None)
    known = isinstance(kind, type) and issubclass(kind, errors.JobFailure)
    return (kind if known and kind is not None else errors.ModelFailure)(str(message["text"]))
