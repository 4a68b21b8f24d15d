"""The audit log: who did what to what, in a chain in which every record holds the hash of the one before.

docs/audit.md describes the encoding byte for byte, so that any other tool can verify a chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from segint_grpc.domain.access import Caller

FORMAT = "segint-audit-1"
GENESIS = "0" * 64
"""What stands in the first record of all as the hash of the one before."""

OK = "ok"
BEGUN = "begun"
"""The outcome of a change before it is made; a second record with the same request id tells how it went."""
PRUNE = "audit.prune"
"""The act of a record that names the last of those that have gone at the end of their lifetime."""
LEFT = "CANCELLED"
"""The outcome where the caller went away in the middle."""

TEXT_MAX = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded: who, from where, what, on what, when, and how it went.

    `outcome` is `ok`, `begun`, or the name of the gRPC status that the caller got. `details` is a JSON
    object with small facts, made by `facts`; patient data and secrets are never among them.
    """

    at: datetime
    principal: str
    address: str
    door: str
    act: str
    kind: str = ""
    object_id: str = ""
    outcome: str = OK
    request_id: str = ""
    details: str = "{}"


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a chain: its number and its hash; number 0 is an empty chain."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        """Return it as `segint audit verify --head` takes it."""
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Record:
    """An entry in its place in the chain: its number, the hash of the one before, and its own."""

    seq: int
    entry: Entry
    previous: str
    hash: str

    @property
    def head(self) -> Head:
        """The head of a chain that ends here."""
        return Head(self.seq, self.hash)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records are meant: those that fit everything that is given. `act` may end in `*`."""

    principal: str = ""
    act: str = ""
    object_id: str = ""
    since: datetime | None = None
    before: datetime | None = None


def entry_by(
    caller: Caller, at: datetime, act: str, kind: str, object_id: str, request_id: str = "", **details: object
) -> Entry:
    """Return what `caller` does to an object; the outcome is ok until it is said otherwise."""
    return Entry(
        at=at,
        principal=tidy(caller.principal),
        address=tidy(caller.address),
        door=caller.door,
        act=act,
        kind=kind,
        object_id=tidy(object_id),
        request_id=request_id,
        details=facts(**details),
    )


def prune_entry(by: Caller, at: datetime, last: Head) -> Entry:
    """Return the record of it that every record up to `last` goes."""
    return entry_by(by, at, PRUNE, "audit", str(last.seq), hash=last.hash)


def facts(**values: object) -> str:
    """Return `values` as an entry's details: a JSON object of texts, sorted, without what is empty."""
    told = {name: tidy(str(value)) for name, value in values.items() if value not in (None, "")}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if told else "{}"


def tidy(text: str) -> str:
    """Return `text` on one line, and no longer than a name is."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:TEXT_MAX])


def link(entry: Entry, before: Head) -> Record:
    """Return `entry` as the record that follows `before`."""
    seq = before.seq + 1
    digest = hashlib.sha256(encoded(seq, entry, before.hash)).hexdigest()
    return Record(seq, entry, before.hash, digest)


def encoded(seq: int, entry: Entry, previous: str) -> bytes:
    """Return the bytes whose SHA-256 is a record's hash: its fields, each as a netstring."""
    fields = (
        FORMAT,
        str(seq),
        str((entry.at - _EPOCH) // timedelta(microseconds=1)),
        entry.principal,
        entry.address,
        entry.door,
        entry.act,
        entry.kind,
        entry.object_id,
        entry.outcome,
        entry.request_id,
        entry.details,
        previous,
    )
    return b"".join(map(_netstring, fields))


def _netstring(text: str) -> bytes:
    raw = text.encode()
    return b"%d:%s," % (len(raw), raw)
