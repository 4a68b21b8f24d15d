"""Appends to the audit log inside whatever transaction makes the change that a record tells of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from segint_grpc.domain.audit import Entry, Head, Record, link
from segint_grpc.store.audit_schema import AuditPlaceTable, AuditTable
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.prepared import Prepared, slot

ANCHOR = "anchor"
FORWARDED = "forwarded"

ENTRY_COLUMNS = tuple(field.name for field in fields(Entry))
_COLUMNS = ("seq", *ENTRY_COLUMNS, "previous", "hash")

_INSERT = Prepared(AuditTable.insert(**{name: slot(getattr(AuditTable, name)) for name in _COLUMNS}))
_LAST = Prepared(AuditTable.select(AuditTable.seq, AuditTable.hash).order_by(AuditTable.seq.desc()).limit(1))
_PLACE = Prepared(AuditPlaceTable.select().where(AuditPlaceTable.name == slot(AuditPlaceTable.name)))


def append(transaction: Transaction, entries: Iterable[Entry]) -> Head:
    """Add `entries` to the chain, in order; return its head. The transaction must be one that writes."""
    head = head_of(transaction)
    for entry in entries:
        record = link(entry, head)
        columns = {name: getattr(entry, name) for name in ENTRY_COLUMNS}
        transaction.do(_INSERT, seq=record.seq, previous=record.previous, hash=record.hash, **columns)
        head = record.head
    return head


def head_of(transaction: Transaction) -> Head:
    """Return the chain's head; where everything was pruned, that is the anchor."""
    rows = transaction.ask(_LAST)
    return Head(rows[0]["seq"], rows[0]["hash"]) if rows else place(transaction, ANCHOR)


def place(transaction: Transaction, name: str) -> Head:
    """Return the record that is remembered as `name`; number 0 where there is none."""
    rows = transaction.ask(_PLACE, name=name)
    return Head(rows[0]["seq"], rows[0]["hash"]) if rows else Head()


def record_of(row: Row) -> Record:
    """Return a row of the table."""
    entry = Entry(**{name: row[name] for name in ENTRY_COLUMNS})
    return Record(row["seq"], entry, row["previous"], row["hash"])
