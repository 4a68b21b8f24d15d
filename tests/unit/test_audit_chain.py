"""The chain of the audit log: what it promises, and that tampering shows."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from segint_grpc.domain.access import Caller, Door
from segint_grpc.domain.audit import GENESIS, AuditFilter, Entry, Head, Record, encoded, entry_by, facts, link
from segint_grpc.domain.audit_check import Finding
from segint_grpc.home import Home
from segint_grpc.store import Store
from segint_grpc.store.audit import AuditStore
from tests.fakes.stores import START, Clock, ask, make_home

PHYSICIST = Caller(Door.TCP, "token:7f3a", address="192.0.2.7")
COLUMNS = {
    "at": 1,
    "principal": "somebody",
    "address": "198.51.100.1",
    "door": "admin socket",
    "act": "job.view",
    "kind": "version",
    "object_id": "another",
    "outcome": "NOT_FOUND",
    "request_id": "another",
    "details": '{"a":"b"}',
    "previous": "f" * 64,
    "hash": "e" * 64,
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def an_entry(number: int = 0, **changes: Any) -> Entry:
    entry = entry_by(PHYSICIST, START + timedelta(seconds=number), "result.read", "job", f"job-{number}", "r")
    return replace(entry, **changes)


def fill(home: Home, count: int = 10) -> Head:
    with Store(home, Clock()) as store:
        return store.audit.append([an_entry(number) for number in range(count)])


def tamper(home: Home, *statements: str) -> None:
    """Do as root could: without the triggers."""
    with closing(sqlite3.connect(home.database)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()


def verify(home: Home, *noted: Head) -> Finding | None:
    with Store(home, Clock()) as store:
        return list(store.audit.check(*noted))[-1].finding


def test_the_hash_is_made_as_the_documentation_says() -> None:
    entry = an_entry(details=facts(model="Thorax ä"))
    texts = [
        "segint-audit-1",
        "1",
        "1772353800123456",
        "token:7f3a",
        "192.0.2.7",
        "tcp",
        "result.read",
        "job",
    ]
    texts += ["job-0", "ok", "r", '{"model":"Thorax ä"}', "0" * 64]
    raw = b"".join(str(len(text.encode())).encode() + b":" + text.encode() + b"," for text in texts)
    assert encoded(1, entry, GENESIS) == raw
    assert link(entry, Head()) == Record(1, entry, GENESIS, hashlib.sha256(raw).hexdigest())


def test_every_field_of_an_entry_is_in_its_hash() -> None:
    before = encoded(1, an_entry(), GENESIS)
    for field in fields(Entry):
        other = START - timedelta(days=1) if field.name == "at" else "other"
        assert encoded(1, replace(an_entry(), **{field.name: other}), GENESIS) != before
    shifted = (an_entry(act="a", kind="bc"), an_entry(act="ab", kind="c"))
    assert encoded(1, shifted[0], GENESIS) != encoded(1, shifted[1], GENESIS)


def test_a_chain_that_nobody_touched_is_whole(home: Home) -> None:
    head = fill(home)
    assert head.seq == 10
    assert verify(home) is None
    assert verify(home, head) is None
    fill(home)
    assert verify(home, head) is None


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_field_is_found(home: Home, column: str) -> None:
    fill(home)
    tamper(home, f"UPDATE audit SET {column} = '{COLUMNS[column]}' WHERE seq = 4")
    finding = verify(home)
    assert finding
    assert finding.seq == 4


def test_a_row_that_is_gone_is_found(home: Home) -> None:
    fill(home)
    tamper(home, "DELETE FROM audit WHERE seq = 6")
    assert verify(home) == Finding(6, "Record 6 is missing: record 7 stands in its place.")


def test_a_row_that_is_gone_and_closed_up_is_found(home: Home) -> None:
    fill(home)
    tamper(home, "DELETE FROM audit WHERE seq = 6", "UPDATE audit SET seq = seq - 1 WHERE seq > 6")
    finding = verify(home)
    assert finding
    assert finding.seq == 6


def test_exchanged_rows_are_found(home: Home) -> None:
    fill(home)
    exchange = [
        f"UPDATE audit SET seq = {after} WHERE seq = {before}" for before, after in ((3, -1), (4, 3), (-1, 4))
    ]
    tamper(home, *exchange)
    finding = verify(home)
    assert finding
    assert finding.seq == 3


def test_the_first_record_cannot_go_unseen(home: Home) -> None:
    fill(home)
    tamper(home, "DELETE FROM audit WHERE seq = 1")
    finding = verify(home)
    assert finding
    assert finding.seq == 1


def test_a_chain_that_was_cut_at_its_end_is_found_by_a_head_that_was_noted(home: Home) -> None:
    head = fill(home)
    tamper(home, "DELETE FROM audit WHERE seq > 8")
    assert verify(home) is None
    finding = verify(home, head)
    assert finding
    assert finding.seq == 9
    assert "record 10 was noted elsewhere" in finding.problem


def test_a_chain_that_was_rewritten_is_found_by_a_head_that_was_noted(home: Home) -> None:
    head = fill(home)
    tamper(home, "DELETE FROM audit")
    with Store(home, Clock()) as store:
        store.audit.append([an_entry(number, principal="owner") for number in range(12)])
    assert verify(home) is None
    finding = verify(home, head)
    assert finding
    assert finding.seq == 10
    assert "rewritten" in finding.problem


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET principal = 'x' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 10",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT seq, 0, '', '', '', '', '', '', '', '', '', '', '' FROM audit",
        "UPDATE audit_place SET seq = 5, hash = '0' WHERE name = 'anchor'",
        "DELETE FROM audit_place WHERE name = 'anchor'",
    ],
)
def test_the_database_refuses_to_change_records(home: Home, statement: str) -> None:
    fill(home)
    with closing(sqlite3.connect(home.database)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)


def test_records_go_after_their_lifetime_and_the_rest_stays_verifiable(home: Home) -> None:
    clock = Clock()
    with Store(home, clock) as store:
        head = store.audit.append([an_entry(number) for number in range(10)])
        clock.advance(100 + 5)
        assert store.audit.prune(0) == 0
        assert store.audit.prune(1000) == 0
        assert store.audit.prune(100) == 5
        assert store.audit.prune(100) == 0
        assert [record.seq for record in store.audit.after(0)] == [6, 7, 8, 9, 10, 11]
        (told,) = store.audit.page(AuditFilter(act="audit.prune"), 0, 9)
        anchor, _ = store.audit.places()
        assert (told.entry.object_id, told.entry.details) == ("5", facts(hash=anchor.hash))
    assert verify(home) is None
    assert verify(home, head) is None
    assert verify(home, anchor) is None
    with Store(home, Clock()) as store:
        assert list(store.audit.check(Head(2, "a" * 64)))[-1].unseen == (2,)


def test_records_cut_off_at_the_beginning_as_if_they_were_pruned_are_found(home: Home) -> None:
    fill(home)
    with closing(sqlite3.connect(home.database)) as connection:  # no trigger has to be dropped for that
        (found,) = connection.execute("SELECT hash FROM audit WHERE seq = 4").fetchone()
        connection.execute("UPDATE audit_place SET seq = 4, hash = ? WHERE name = 'anchor'", (found,))
        connection.execute("DELETE FROM audit WHERE seq <= 4")
        connection.commit()
    finding = verify(home)
    assert finding
    assert (finding.seq, "no record says that they were pruned" in finding.problem) == (4, True)


def test_pruning_while_the_chain_is_looked_at_breaks_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AuditStore.after, "__defaults__", (4,))
    clock = Clock()
    with Store(home, clock) as store:
        store.audit.append([an_entry(number) for number in range(20)])
        clock.advance(100 + 15)
        looks = store.audit.check()
        assert next(looks).seen == 4
        assert store.audit.prune(100) == 15
        last = list(looks)[-1]
        assert (last.finding, last.seen) == (None, 6)


def test_a_chain_of_which_everything_was_pruned_goes_on_from_its_anchor(home: Home) -> None:
    clock = Clock()
    fill(home)
    clock.advance(1000)
    with Store(home, clock) as store:
        assert store.audit.prune(10) == 10
        assert store.audit.append([an_entry()]).seq == 12
    assert verify(home) is None


def test_pages_go_backwards_and_filters_narrow_them(home: Home) -> None:
    with Store(home, Clock()) as store:
        store.audit.append([an_entry(n, act="job.view" if n % 2 else "job.delete") for n in range(10)])
        store.audit.append([an_entry(10, act="version.retire", principal="owner")])

        def seqs(before: int = 0, limit: int = 20, **wanted: Any) -> list[int]:
            return [record.seq for record in store.audit.page(AuditFilter(**wanted), before, limit)]

        assert seqs(limit=3) == [11, 10, 9]
        assert seqs(before=9, limit=3) == [8, 7, 6]
        assert seqs(act="job.delete") == [9, 7, 5, 3, 1]
        assert len(seqs(act="job.*")) == 10
        assert seqs(principal="owner") == [11]
        assert seqs(object_id="job-4") == [5]
        assert seqs(since=START + timedelta(seconds=8)) == [11, 10, 9]
        assert seqs(before=0, since=None, act="job.view", object_id="job-4") == []
        early = AuditFilter(before=START + timedelta(seconds=2))
        assert [record.seq for record in store.audit.page(early, 0, 9)] == [2, 1]


def test_what_is_recorded_stays_on_one_line_and_short() -> None:
    entry = entry_by(PHYSICIST, START, "a", "job", "x\ny" + "z" * 500, empty="", model="a\x1b[0m", none=None)
    assert entry.object_id.startswith("x y")
    assert len(entry.object_id) == 200
    assert entry.details == '{"model":"a [0m"}'


def test_the_table_holds_what_was_appended(home: Home) -> None:
    fill(home, 1)
    (row,) = ask(home, "SELECT seq, principal, address, door, act, object_id, previous FROM audit")
    assert row == (1, "token:7f3a", "192.0.2.7", "tcp", "result.read", "job-0", GENESIS)
