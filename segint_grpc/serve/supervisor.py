"""Keeps child processes running: starts them in order, restarts what dies, stops them in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from segint_grpc import errors
from segint_grpc.serve.process import ChildCommand, ChildProcess, describe

REFUSED = 2
"""The exit status of a child that will not start as things are: a wrong setting, a port in use."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How restarts are spaced and when starting is given up, in seconds.

    The pause before a restart doubles from `pause_s` to `pause_max_s`, and is `pause_s` again after a child
    that was up for `healthy_s`. A child that is not ready after `ready_s` is killed. A child that has never
    been ready is given `first_tries`.
    """

    pause_s: float = 0.5
    pause_max_s: float = 30.0
    healthy_s: float = 60.0
    ready_s: float = 120.0
    first_tries: int = 3


class Supervisor:
    """Runs `commands` until told to stop; the later ones are started when the earlier ones are ready."""

    def __init__(self, commands: Sequence[ChildCommand], patience: Patience | None = None) -> None:
        """Name the children; nothing is started yet."""
        self._commands = commands
        self._patience = patience or Patience()

    async def run(self, stop: asyncio.Event, on_ready: Callable[[Mapping[str, str]], None]) -> None:
        """Keep the children up until `stop`; `on_ready` gets all their facts once the last one is ready.

        Raises:
            StartRefused: a child could not be brought up.
        """
        facts: dict[str, str] = {}
        async with contextlib.AsyncExitStack() as stack:
            for command in self._commands:
                child = await stack.enter_async_context(KeptChild(command, self._patience))
                reported = await _unless(stop, child.first_ready)
                if reported is None:
                    return
                facts |= reported
            on_ready(facts)
            await stop.wait()


class KeptChild:
    """One child that is started again whenever it ends; an async context manager, leaving it stops it."""

    def __init__(self, command: ChildCommand, patience: Patience) -> None:
        """Name the child; must be made on the event loop."""
        self.first_ready: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._command = command
        self._patience = patience
        self._pinned: dict[str, str] = {}
        self._process: ChildProcess | None = None

    async def __aenter__(self) -> Self:
        """Start keeping the child up; `first_ready` says when it is, or why not (StartRefused)."""
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the child: SIGTERM, then after its `stop_s` SIGKILL."""
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        if self._process is not None:
            await self._process.stop(self._command.stop_s)

    async def _keep(self) -> None:
        pause_s, tries = self._patience.pause_s, 0
        while True:
            began = time.monotonic()
            ending = await self._live()
            tries += 1
            if not self.first_ready.done() and self._given_up(ending, tries):
                return
            if time.monotonic() - began >= self._patience.healthy_s:
                pause_s = self._patience.pause_s
            _logger.warning(
                "The %s ended with %s; it is started again in %.1f s.", self._command.name, ending, pause_s
            )
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, self._patience.pause_max_s)

    async def _live(self) -> str:
        """Run the child once, to its end; return how it ended, in words."""
        try:
            self._process = ChildProcess(self._command, self._pinned)
        except OSError as error:
            return f"no start ({error})"
        try:
            async with asyncio.timeout(self._patience.ready_s):
                facts = await self._process.ready()
        except (TimeoutError, ValueError):
            await self._process.kill()
            return f"no sign of being ready within {self._patience.ready_s:g} s"
        if facts is not None:
            self._note(facts)
        return describe(await self._process.ended())

    def _note(self, facts: dict[str, str]) -> None:
        pins = self._command.pins
        self._pinned = {pins[name]: value for name, value in facts.items() if name in pins}
        _logger.info("The %s is ready.", self._command.name, extra=facts)
        if not self.first_ready.done():
            self.first_ready.set_result(facts)

    def _given_up(self, ending: str, tries: int) -> bool:
        refused = ending == describe(REFUSED)
        if refused:
            sentence = f"The {self._command.name} refused to start, as it says above."
        else:
            sentence = f"The {self._command.name} did not start ({ending}, {tries} times)."
        give_up = refused or tries >= self._patience.first_tries
        if give_up:
            self.first_ready.set_exception(errors.StartRefused(sentence))
        return give_up


async def _unless(stop: asyncio.Event, future: asyncio.Future[dict[str, str]]) -> dict[str, str] | None:
    """Return the future's result, or None if `stop` comes first."""
    stopped = asyncio.create_task(stop.wait())
    try:
        awaited: set[asyncio.Future[Any]] = {stopped, future}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    return future.result() if future.done() else None
