"""Model processes of another interpreter, whose fork server starts when the first of them is needed.

Its environment is not ours to mend: where it cannot begin, the runs that wait for it fail with what it said,
and the next run tries anew. Nothing of this concerns the other models, nor whether the server is ready.

A fork server holds the libraries that it has loaded. Where something was installed since it began, another
takes its place, and it ends with the last of its processes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.guests.outside import Interpreter, Stamp
from segint_grpc.worker import messages
from segint_grpc.worker.brood import Brood
from segint_grpc.worker.fork_server import ForkServer
from segint_grpc.worker.model_process import ModelProcess
from segint_grpc.worker.nursery import STOPPING

PATIENCE_S = 120.0
"""How long a fork server may take until it serves: its libraries may lie on a slow disk."""

_log = logging.getLogger(__name__)


class GuestNursery:
    """Makes the model processes of `interpreter`."""

    def __init__(
        self,
        interpreter: Interpreter,
        start: Callable[[], ForkServer],
        log: Path,
        limits: dict[str, int],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Start nothing yet; a fork server from `start` may take `patience_s` until it serves."""
        self._interpreter = interpreter
        self._start = start
        self._log = log
        self._limits = limits
        self._patience_s = patience_s
        self._brood: Brood | None = None
        self._retired: set[Brood] = set()
        self._began_with: Stamp = ()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def fork(self, **limits: int) -> ModelProcess:
        """Return a new process, which may not have started yet; `limits` stand in for the usual ones.

        Raises:
            ModelFailure: the interpreter's executable cannot be run.
            RunCutShort: the nursery is closed.
        """
        while not self._closed:
            if self._brood and self._began_with != self.stamp():
                self._retire(self._brood)
            brood = self._brood or self._begin()
            try:
                return brood.fork(limits)
            except OSError:
                # The fork server has died and its listener does not know yet.
                await asyncio.sleep(0.01)
        raise errors.RunCutShort(STOPPING)

    def stamp(self) -> Stamp:
        """Return the state that the environment is in."""
        return self._interpreter.stamp()

    async def close(self) -> None:
        """Kill every process (runs get RunCutShort) and end the fork server."""
        self._closed = True
        for brood in (*self._retired, *([self._brood] if self._brood else [])):
            await brood.close(errors.RunCutShort(STOPPING))
        await asyncio.gather(*self._tasks)

    def _begin(self) -> Brood:
        self._began_with = self.stamp()
        try:
            server = self._start()
        except OSError as error:
            raise self._interpreter.failure(error.strerror or str(error)) from None
        brood = Brood(server, self._log, self._limits, lambda message: self._hear(brood, message))
        brood.listen()
        self._brood = brood
        asyncio.get_running_loop().call_later(self._patience_s, self._lose_patience, brood)
        return brood

    def _retire(self, brood: Brood) -> None:
        _log.info("An interpreter begins anew; its environment has changed.", extra=self._facts)
        self._brood = None
        self._retired.add(brood)
        self._end_if_done(brood)

    def _end_if_done(self, brood: Brood) -> None:
        if brood in self._retired and brood.empty:
            self._retired.discard(brood)
            self._do(brood.close(errors.RunCutShort(STOPPING)))

    @property
    def _facts(self) -> dict[str, str]:
        return {"interpreter": self._interpreter.name}

    def _hear(self, brood: Brood, message: dict[str, Any] | None) -> None:
        if message is None:
            self._lose(brood)
        elif message["kind"] == messages.READY:
            _log.info("An interpreter begins.", extra=self._facts)
        else:
            self._end_if_done(brood)

    def _lose(self, brood: Brood) -> None:
        """Take note that the fork server of `brood` has died."""
        if brood.server.serving:
            why: errors.SegIntError = errors.RunCutShort("The fork server died while the job ran.")
            brood.kill_groups()
        else:
            why = self._interpreter.failure(brood.server.said())
        _log.error("The fork server of an interpreter has died: %s", why.message)
        self._give_up(brood, why)

    def _lose_patience(self, brood: Brood) -> None:
        if brood.server.serving or brood not in (self._brood, *self._retired):
            return
        why = self._interpreter.failure(f"it did not begin within {self._patience_s:.0f} s")
        _log.error("The fork server of an interpreter is given up: %s", why.message)
        self._give_up(brood, why)

    def _give_up(self, brood: Brood, why: errors.SegIntError) -> None:
        self._retired.discard(brood)
        self._brood = None if brood is self._brood else self._brood
        brood.lose(why)
        self._do(brood.close(why))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
