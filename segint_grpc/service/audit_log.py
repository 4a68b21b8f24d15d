"""The way to the audit log: records of requests that come at the same time share a transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from segint_grpc import errors, logs
from segint_grpc.domain.access import Caller, current
from segint_grpc.domain.audit import Entry, entry_by
from segint_grpc.service.hop import RETRY_S, Hop
from segint_grpc.store.audit import AuditStore
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)

POSTED_MAX = 10_000
"""Outcomes that wait to be written while the database takes nothing; then whoever brings more waits too."""


def entry_now(store: Store, act: str, kind: str, object_id: str, **details: object) -> Entry:
    """Return what the caller of this request does now."""
    request_id = logs.request_id.get()
    return entry_by(current.get(), store.now(), act, kind, object_id, request_id, **details)


class AuditLog:
    """Writes records in batches, from the event loop: while one batch is committed, the next gathers."""

    def __init__(self, store: Store) -> None:
        """Write into the log of `store`."""
        self._store = store
        self._audit: AuditStore = store.audit
        self._hop = Hop("segint-audit", threads=1)
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._posted: set[asyncio.Task[None]] = set()

    def entry(self, caller: Caller, act: str, kind: str, object_id: str = "", **details: Any) -> Entry:
        """Return what `caller` does now, in the request that is being answered."""
        now, request_id = self._store.now(), logs.request_id.get()
        return entry_by(caller, now, act, kind, object_id, request_id, **details)

    async def write(self, entry: Entry) -> None:
        """Return once `entry` is durable.

        Raises:
            DiskFull, Unavailable: it could not be written, so what it tells of must not happen.
        """
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_batches())
        await written

    async def post(self, entry: Entry) -> None:
        """See to it that `entry`, which tells of what has happened already, is written at last."""
        if len(self._posted) >= POSTED_MAX:
            await asyncio.wait(self._posted, return_when=asyncio.FIRST_COMPLETED)
        self.post_soon(entry)

    def post_soon(self, entry: Entry) -> None:
        """As `post`, where nothing may be waited for."""
        task = asyncio.create_task(self._insist(entry))
        self._posted.add(task)
        task.add_done_callback(self._posted.discard)

    async def close(self) -> None:
        """Write what waits, as far as the database takes it; nothing may be written afterwards."""
        if self._posted:
            await asyncio.wait(self._posted, timeout=RETRY_S)
        if self._posted:
            log.error("%d records of the audit log could not be written before the end", len(self._posted))
        for task in self._posted:
            task.cancel()
        await asyncio.gather(*self._posted, return_exceptions=True)
        self._hop.__exit__(None, None, None)

    async def _insist(self, entry: Entry) -> None:
        told = False
        while True:
            try:
                return await self.write(entry)
            except errors.SegIntError as error:
                if not told:
                    log.error("a record of the audit log could not be written yet: %s", error.message)
                told = True
            await asyncio.sleep(RETRY_S)

    async def _write_batches(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._hop.run(self._audit.append, [entry for entry, _ in batch])
            except Exception as error:
                _settle([written for _, written in batch], error)
            else:
                _settle([written for _, written in batch])


def _settle(futures: Sequence[asyncio.Future[None]], error: Exception | None = None) -> None:
    for future in futures:
        if future.done():
            continue
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)
