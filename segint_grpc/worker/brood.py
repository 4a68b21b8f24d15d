"""The model processes of one fork server, for as long as that lives."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.worker import messages
from segint_grpc.worker.fork_server import ForkServer
from segint_grpc.worker.model_process import ModelProcess

Told = Callable[[dict[str, Any] | None], None]
"""Is called with each message of the fork server, and with None once that has died."""


class Brood:
    """Makes processes with `server` and tells each how it ended."""

    def __init__(self, server: ForkServer, log: Path, limits: dict[str, int], told: Told) -> None:
        """Take over `server`; each process gets `log` and `limits` (worker/child.py:main)."""
        self.server = server
        self._log = log
        self._limits = limits
        self._told = told
        self._numbers = itertools.count(1)
        self._processes: dict[int, ModelProcess] = {}

    @property
    def empty(self) -> bool:
        """Whether no process of it lives."""
        return not self._processes

    def listen(self) -> None:
        """Begin to listen to the fork server."""
        self.server.listen(self._hear)

    def fork(self, limits: dict[str, int]) -> ModelProcess:
        """Return a new process, which may not have started yet; `limits` stand in for the usual ones.

        Raises:
            OSError: the fork server has died, and its listener may not know yet.
        """
        ours, theirs = socket.socketpair()
        number = next(self._numbers)
        with theirs:
            try:
                self.server.fork(number, theirs, self._log, self._limits | limits)
            except OSError:
                ours.close()
                raise
        process = ModelProcess(number, ours, self._kill)
        self._processes[number] = process
        return process

    def kill_groups(self) -> None:
        """Kill what the processes have started, once the fork server has died."""
        for process in self._processes.values():
            process.kill_group()

    def lose(self, reason: errors.SegIntError) -> None:
        """Take every process for gone: its run gets `reason`."""
        for process in list(self._processes.values()):
            process.note_exit(None, reason)
        self._processes.clear()

    async def close(self, reason: errors.SegIntError) -> None:
        """Kill every process, whose runs get `reason`, and end the fork server."""
        for process in list(self._processes.values()):
            process.kill(reason)
        await self.server.close()
        self.lose(reason)

    def _kill(self, number: int) -> None:
        self.server.kill(number)
        if not self.server.serving and number in self._processes:
            # Both orders wait until the imports are done, however long that takes; nobody else need wait.
            given_up = errors.RunCutShort("The run was given up before its process began.")
            self._processes.pop(number).note_exit(None, given_up)

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is not None and message["kind"] in (messages.EXITED, messages.REFUSED):
            process = self._processes.pop(message["number"], None)
            if process is not None:
                refused = errors.RunCutShort(message["text"]) if "text" in message else None
                process.note_exit(message.get("code"), refused)
        self._told(message)
