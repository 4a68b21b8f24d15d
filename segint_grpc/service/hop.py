"""The way from the event loop to code that blocks: one hop is one store method, so one transaction."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from segint_grpc import errors

log = logging.getLogger(__name__)

RETRY_S = 1.0
OUTAGES = (errors.DiskFull, errors.Unavailable)
"""What keeps the database from taking a change for a while; a traceback would tell nothing more."""

P = ParamSpec("P")
T = TypeVar("T")


class Hop:
    """A small named executor for blocking calls; a context manager that waits for them at its end."""

    def __init__(self, name: str, threads: int = 4) -> None:
        """Name the threads after `name`, with a number."""
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `function(*args, **kwargs)`, called in a thread with this task's context variables.

        A cancelled caller stops waiting; the call itself runs to its end.
        """
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    async def complete(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for a call whose outcome must be known: a cancellation meanwhile waits for it.

        The caller gets the outcome, and the cancellation at its next await.
        """
        call = asyncio.ensure_future(self.run(function, *args, **kwargs))
        cancelled = False
        while not call.done():
            try:
                await asyncio.wait([call])
            except asyncio.CancelledError:
                cancelled = True
        task = asyncio.current_task()
        if cancelled and task:
            task.cancel()
        return call.result()

    async def insist(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `complete`, tried until the database takes the change: for what must not be forgotten."""
        while True:
            try:
                return await self.complete(function, *args, **kwargs)
            except OUTAGES as error:
                log.error("a change could not be written down, it is tried again: %s", error.message)
            await asyncio.sleep(RETRY_S)

    def __enter__(self) -> Self:
        """Return this hop."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the calls that have begun."""
        self._executor.shutdown(wait=True, cancel_futures=True)
