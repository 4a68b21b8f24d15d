"""Sends the audit log on to another log, so that the chain's head is known outside of this machine.

It reads the table behind the last record that was sent: what could not be sent during an outage follows after
it, and nothing that the server does waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time

from segint_grpc.domain.audit import Head, Record
from segint_grpc.service.hop import OUTAGES, Hop
from segint_grpc.service.log_targets import Target, Told, target_of
from segint_grpc.store.store import Store

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
RETRY_MAX_S = 60.0
HEAD_EVERY_S = 300.0
AT_ONCE = 500
AGAIN = 2000
"""After a broken connection the last so many are sent again: nobody knows which of them had arrived.

That is more than lies in the buffers of both ends, this end's being small (`log_targets.BUFFER_BYTES`)."""


class Forwarding:
    """Follows the audit log, from a thread of its own."""

    def __init__(self, store: Store, setting: str) -> None:
        """Follow the log of `store` to where `setting` says; raises InvalidSetting."""
        self._store = store
        self._setting = setting
        self._target: Target = target_of(setting)
        self._sent = store.audit.places()[1]
        self._last = self._sent
        self._head_at = 0.0
        self._failed_s = 0.0
        self.lost = 0
        """Records that were pruned before they could be sent."""

    async def run(self) -> None:
        """Forward until cancelled."""
        try:
            with Hop("segint-audit-forward", threads=1) as hop:
                while True:
                    pause_s = await self._step(hop)
                    await asyncio.sleep(pause_s)
        finally:
            self._target.close()

    async def _step(self, hop: Hop) -> float:
        """Forward a batch; return after how long to go on."""
        try:
            more = await hop.run(self._forward)
        except (OSError, *OUTAGES) as error:
            self._break(error)
            return self._failed_s
        return 0.0 if more else INTERVAL_S

    def _forward(self) -> bool:
        """Send what has come since; return whether there may be more at once."""
        records = self._store.audit.after(self._sent.seq, AT_ONCE)
        if records:
            self._tell_lost(records[0])
        sent = self._sent
        try:
            for record in records:
                self._target.send(Told(record.head, record.entry.at, record))
                sent = record.head
        finally:
            self._note(sent)
        if not records or time.monotonic() - self._head_at >= HEAD_EVERY_S:
            self._tell_head()
        self._tell_recovered()
        return len(records) == AT_ONCE

    def _tell_head(self) -> None:
        if time.monotonic() - self._head_at >= HEAD_EVERY_S or not self._head_at:
            self._target.send(Told(self._sent, self._store.now()))
            self._head_at = time.monotonic()

    def _note(self, sent: Head) -> None:
        if sent.seq > self._sent.seq:
            self._sent = sent
            if sent.seq > self._last.seq:
                self._store.audit.note_forwarded(sent)
                self._last = sent

    def _tell_lost(self, first: Record) -> None:
        lost = first.seq - self._last.seq - 1
        if lost > 0:
            self.lost += lost
            log.error("records of the audit log were pruned before they were forwarded", extra={"lost": lost})

    def _tell_recovered(self) -> None:
        if self._failed_s:
            log.warning("the audit log is forwarded again", extra={"up_to": self._sent.seq})
        self._failed_s = 0.0

    def _break(self, error: Exception) -> None:
        """Say once that nothing can be sent, wait longer each time, and go back a little."""
        if not self._failed_s:
            log.error("the audit log cannot be forwarded to %s, it is tried again: %s", self._setting, error)
        self._failed_s = min(max(2 * self._failed_s, INTERVAL_S), RETRY_MAX_S)
        self._target.close()
        again = max(self._last.seq - AGAIN, 0)
        self._sent = min(self._sent, Head(again), key=lambda head: head.seq)
