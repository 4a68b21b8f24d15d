"""Keeps a fork server running, makes model processes with it, and knows which of them live."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Hashable
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.worker import messages
from segint_grpc.worker.brood import Brood
from segint_grpc.worker.fork_server import ForkServer
from segint_grpc.worker.model_process import ModelProcess

PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 30.0
PROBE_PATIENCE_S = 60.0
STOPPING = "The server is stopping."

_log = logging.getLogger(__name__)


class Nursery:
    """Model processes come from here. A fork server that dies is started anew, with growing pauses."""

    def __init__(self, server: ForkServer, log: Path, limits: dict[str, int]) -> None:
        """Take over `server`; each process gets `log` and `limits` (worker/child.py:main)."""
        self.ready = asyncio.Event()
        self._log = log
        self._limits = limits
        self._brood = self._around(server)
        self._alive = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause_s = 0.0
        self._closed = False

    def open(self) -> None:
        """Begin to listen to the fork server and to probe it."""
        self._brood.listen()
        self._alive.set()
        self._begin(self._probe())

    def stamp(self) -> Hashable:
        """Return the state that the environment is in: one and the same as long as the server runs."""
        return None

    async def close(self) -> None:
        """Kill every process (runs get RunCutShort) and end the fork server."""
        self._closed = True
        self._alive.set()
        self.ready.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._brood.close(errors.RunCutShort(STOPPING))

    async def fork(self, **limits: int) -> ModelProcess:
        """Return a new process, which may not have started yet; waits while there is no fork server.

        `limits` stand in for those that every process gets.

        Raises:
            RunCutShort: the nursery is closed.
        """
        while True:
            await self._alive.wait()
            if self._closed:
                raise errors.RunCutShort(STOPPING)
            with contextlib.suppress(OSError):
                return self._brood.fork(limits)
            # The fork server has died and its listener does not know yet.
            await asyncio.sleep(0.01)

    def _around(self, server: ForkServer) -> Brood:
        return Brood(server, self._log, self._limits, self._hear)

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None:
            self._restart_soon()
        elif message["kind"] == messages.READY:
            self._note_missing(message["missing"])
        elif message["kind"] == messages.REFUSED:
            self._doubt()

    def _note_missing(self, missing: dict[str, str]) -> None:
        for name, why in missing.items():
            _log.warning("Model processes start without %s (%s).", name, why)

    def _doubt(self) -> None:
        """Be unready until a probe has worked."""
        if self.ready.is_set():
            self.ready.clear()
            self._begin(self._probe())

    def _restart_soon(self) -> None:
        _log.error("The fork server has died; its runs are cut short.", extra={"pid": self._brood.server.pid})
        self._alive.clear()
        self._brood.kill_groups()
        self._brood.lose(errors.RunCutShort("The fork server died while the job ran."))
        self._doubt()
        self._begin(self._restart())

    async def _restart(self) -> None:
        await self._brood.server.close()
        while not self._alive.is_set():
            await self._pause()
            try:
                self._brood = self._around(self._brood.server.start_again())
                self._brood.listen()
                self._alive.set()
            except OSError as error:
                _log.error("The fork server cannot be started: %s", error.strerror)

    async def _probe(self) -> None:
        """Make a process, hear it say that it is ready, and end it; again until that has worked."""
        while not self.ready.is_set():
            process = await self.fork()
            try:
                if await process.wait_ready(PROBE_PATIENCE_S):
                    self.ready.set()
                    self._pause_s = 0.0
                    return
            finally:
                process.kill(errors.RunCutShort("The probe is over."))
            _log.error("No model process can be started.")
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(max(PAUSE_FIRST_S, 2 * self._pause_s), PAUSE_MAX_S)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
