"""The audit log as a whole: written in batches, read in pages, pruned at the end of its own lifetime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from segint_grpc.domain.access import SERVER
from segint_grpc.domain.audit import AuditFilter, Entry, Head, Record, prune_entry
from segint_grpc.domain.audit_check import ChainCheck, Finding
from segint_grpc.store import audit_chain
from segint_grpc.store.audit_chain import ANCHOR, FORWARDED, record_of
from segint_grpc.store.audit_schema import AuditPlaceTable, AuditTable
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.prepared import Prepared, slot

READ_AT_ONCE = 2000
PRUNE_AT_ONCE = 5000

_AFTER = Prepared(
    AuditTable.select()
    .where(AuditTable.seq > slot(AuditTable.seq))
    .order_by(AuditTable.seq)
    .limit(slot(AuditTable.seq, "most"))
)


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a look at the chain has come: records seen of so many, the last of them, and what is wrong."""

    seen: int
    total: int
    head: Head
    finding: Finding | None = None
    unseen: tuple[int, ...] = ()


class AuditStore:
    """The records of what was done here."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def append(self, entries: Sequence[Entry]) -> Head:
        """Add `entries` to the chain in one transaction, durably; return its head. Raises as `write`."""
        with self._database.write() as transaction:
            return audit_chain.append(transaction, entries)

    def head(self) -> Head:
        """Return the last record's number and hash."""
        with self._database.read() as transaction:
            return audit_chain.head_of(transaction)

    def page(self, wanted: AuditFilter, before_seq: int, limit: int) -> list[Record]:
        """Return up to `limit` of the records that `wanted` asks for, newest first, under `before_seq`."""
        query = AuditTable.select().where(*_conditions(wanted, before_seq))
        query = query.order_by(AuditTable.seq.desc()).limit(limit)
        with self._database.read() as transaction:
            return [record_of(row) for row in transaction.rows(query)]

    def after(self, seq: int, limit: int = READ_AT_ONCE) -> list[Record]:
        """Return up to `limit` records behind number `seq`, oldest first."""
        with self._database.read() as transaction:
            return _after(transaction, seq, limit)

    def check(self, *noted: Head) -> Iterator[Looked]:
        """Look at the whole chain, telling again and again how far that is; the last word has the finding.

        What is added meanwhile is not looked at. `noted` are heads that must be in the chain.
        """
        anchor, end = self.places()[0], self.head()
        look = ChainCheck(anchor, *noted)
        total, finding = max(end.seq - anchor.seq, 0), None
        while finding is None and (records := self._between(look.head.seq, end.seq)):
            finding = next((found for found in map(look.look, records) if found), None)
            yield Looked(look.count, total, look.head)
        if finding and self.places()[0] != anchor:
            # What was not looked at yet has been pruned meanwhile: that is no finding.
            yield from self.check(*noted)
            return
        finding = finding or look.end()
        yield Looked(look.count, total, look.head, finding, tuple(look.unseen()))

    def prune(self, lifetime_s: float) -> int:
        """Remove the records that are older than `lifetime_s`, some thousands at most; return how many.

        The last of them becomes the anchor, and a record of the chain names it: what stays can be verified
        as before. Records go in order, so one with a clock that ran ahead keeps those behind it a while.
        """
        if not lifetime_s:
            return 0
        before = self._now() - timedelta(seconds=lifetime_s)
        with self._database.write() as transaction:
            anchor = audit_chain.place(transaction, ANCHOR)
            last = anchor
            for record in _after(transaction, anchor.seq, PRUNE_AT_ONCE):
                if record.entry.at >= before:
                    break
                last = record.head
            if last.seq > anchor.seq:
                self._prune(transaction, last)
            return last.seq - anchor.seq

    def places(self) -> tuple[Head, Head]:
        """Return the anchor, which is the last record that was pruned, and the last that was sent on."""
        with self._database.read() as transaction:
            return audit_chain.place(transaction, ANCHOR), audit_chain.place(transaction, FORWARDED)

    def note_forwarded(self, head: Head) -> None:
        """Remember that everything up to `head` was sent on."""
        with self._database.write(durable=False) as transaction:
            transaction.change(AuditPlaceTable.delete().where(AuditPlaceTable.name == FORWARDED))
            transaction.change(AuditPlaceTable.insert(name=FORWARDED, seq=head.seq, hash=head.hash))

    def _prune(self, transaction: Transaction, last: Head) -> None:
        entry = prune_entry(SERVER, self._now(), last)
        columns = {"seq": last.seq, "hash": last.hash}
        audit_chain.append(transaction, [entry])
        transaction.change(AuditPlaceTable.update(**columns).where(AuditPlaceTable.name == ANCHOR))
        transaction.change(AuditTable.delete().where(AuditTable.seq <= last.seq))

    def _between(self, seq: int, end: int) -> list[Record]:
        return [record for record in self.after(seq) if record.seq <= end]


def _after(transaction: Transaction, seq: int, limit: int) -> list[Record]:
    return [record_of(row) for row in transaction.ask(_AFTER, seq=seq, most=limit)]


def _conditions(wanted: AuditFilter, before_seq: int) -> list[Any]:
    conditions: list[Any] = [AuditTable.seq < before_seq] if before_seq else []
    if wanted.act.endswith("*"):
        conditions.append(AuditTable.act.startswith(wanted.act[:-1]))
    elif wanted.act:
        conditions.append(AuditTable.act == wanted.act)
    if wanted.principal:
        conditions.append(AuditTable.principal == wanted.principal)
    if wanted.object_id:
        conditions.append(AuditTable.object_id == wanted.object_id)
    if wanted.since:
        conditions.append(AuditTable.at >= wanted.since)
    if wanted.before:
        conditions.append(AuditTable.at < wanted.before)
    return conditions or [AuditTable.seq > 0]
