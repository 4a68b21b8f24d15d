"""Transactions: what they promise, and what becomes of a disk that fails."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import peewee
import pytest

from segint_grpc import errors
from segint_grpc.home import Home
from segint_grpc.store import Store, database, open_store
from segint_grpc.store.database import Database
from segint_grpc.store.schema import EventTable, JobTable, OpinionTable
from tests.fakes.stores import START, Clock, ask, contradictions, make_home, new_job, queued_job


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def transactions(home: Home) -> Iterator[Database]:
    open_store(home).close()
    opened = Database(home.database)
    yield opened
    opened.close()


def pragma(transactions: Database, name: str) -> object:
    with transactions.read() as transaction:
        return next(iter(transaction.row(peewee.RawQuery(f"PRAGMA {name}")).values()))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 30_000),
        ("secure_delete", 1),
    ],
)
def test_every_connection_is_set_up_to_lose_nothing(transactions: Database, name: str, value: object) -> None:
    assert pragma(transactions, name) == value
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(pragma, transactions, name).result() == value


def test_a_failed_write_leaves_nothing_behind(home: Home, transactions: Database) -> None:
    def write(job_id: str) -> None:
        with transactions.write() as transaction:
            transaction.change(OpinionTable.insert(**opinion))
            transaction.change(EventTable.insert(job=job_id, at=START, kind="log", text=""))

    opinion = {"kind": "feedback", "segmentation_id": "", "body": b"", "received_at": START}
    with pytest.raises(peewee.IntegrityError):
        write("no job")
    assert ask(home, "SELECT * FROM opinion") == []


def test_a_query_outside_a_transaction_fails(transactions: Database) -> None:
    with pytest.raises(peewee.InterfaceError):
        JobTable.select().execute()
    with transactions.read() as transaction:
        assert transaction.rows(JobTable.select()) == []
    with pytest.raises(peewee.InterfaceError):
        transaction.rows(JobTable.select())


def test_transactions_do_not_nest(transactions: Database) -> None:
    with (
        transactions.write() as outer,
        pytest.raises(peewee.OperationalError, match="already opened"),
        transactions.write(),
    ):
        pass
    with transactions.write() as outer:
        assert outer.rows(JobTable.select()) == []


def test_a_closed_database_stays_closed(transactions: Database) -> None:
    transactions.close()
    with pytest.raises(peewee.InterfaceError), transactions.read():
        pass


def test_the_database_is_the_users_alone(home: Home) -> None:
    with Store(home, Clock()) as store:
        queued_job(store)
        files = list(home.path.glob("segint.sqlite3*"))
        assert {file.suffix for file in files} == {".sqlite3", ".sqlite3-wal", ".sqlite3-shm"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_full_disk_is_said_to_be_full_and_undoes_the_write(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(home).close()
    pages = ask(home, "PRAGMA page_count")[0][0]
    monkeypatch.setitem(database.PRAGMAS, "max_page_count", pages + 2)
    with Store(home, Clock()) as store:
        with pytest.raises(errors.DiskFull):
            list(map(queued_job, [store] * 1000))
        jobs = store.jobs.unfinished()
        assert jobs
    assert contradictions(home) == []
    monkeypatch.delitem(database.PRAGMAS, "max_page_count")
    with Store(home, Clock()) as store:
        assert store.jobs.unfinished() == jobs
        assert store.jobs.cancel(jobs[0].id).finished


def test_a_database_that_stays_locked_is_unavailable(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(database.PRAGMAS, "busy_timeout", 10)
    with Store(home, Clock()) as store:
        job = queued_job(store)
        with closing(sqlite3.connect(home.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(errors.Unavailable, match="SQLITE_BUSY"):
                store.jobs.receive(new_job(), 10)
            assert store.jobs.get(job.id) == job
        store.jobs.receive(new_job(), 10)


def test_a_mistake_in_a_query_is_not_taken_for_the_disks(transactions: Database) -> None:
    with pytest.raises(peewee.OperationalError, match="no such table"), transactions.read() as transaction:
        transaction.rows(peewee.RawQuery("SELECT * FROM elsewhere"))
    with pytest.raises(TypeError), transactions.write() as transaction:
        transaction.change(JobTable.insert(id="a", submitted_at="today"))
