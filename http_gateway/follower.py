"""Feeds the mirror: one stream from the core, opened again whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc

from http_gateway.core import Core
from http_gateway.mirror import Mirror
from segint_grpc import logs

log = logging.getLogger(__name__)

PAUSES_S: Sequence[float] = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""After a stream that was lost, after the first that never began, and so on; then always the last one."""
REFUSED_PAUSE_S = 300.0
"""After a core said that it has no such stream, or none for a gateway that has not proved to be one."""

_REFUSED = frozenset(
    {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED}
)


@asynccontextmanager
async def following(core: Core, mirror: Mirror) -> AsyncIterator[None]:
    """Feed `mirror` from `core` while the context lasts."""
    task = asyncio.create_task(_follow(core, mirror))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _follow(core: Core, mirror: Mirror) -> None:
    logs.request_id.set(logs.new_request_id())
    failures = 0
    while True:
        status, began = await _feed(core, mirror)
        failures = 0 if began else min(failures + 1, len(PAUSES_S) - 1)
        refused = status in _REFUSED
        level = logging.INFO if began or refused else logging.DEBUG
        log.log(level, "the core pushes no news; it is asked for everything", extra={"status": status.name})
        await asyncio.sleep(REFUSED_PAUSE_S if refused else PAUSES_S[failures])


async def _feed(core: Core, mirror: Mirror) -> tuple[grpc.StatusCode, bool]:
    """Feed `mirror` from one stream until it ends; return its status, and whether it had begun."""
    call = core.watch_jobs(logs.request_id.get())
    began = False
    try:
        async for news in call:
            mirror.take(news)
            began = True
        return grpc.StatusCode.OK, began
    except grpc.aio.AioRpcError as error:
        return error.code(), began
    finally:
        mirror.lose()
        call.cancel()
