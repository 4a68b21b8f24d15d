"""A copy of the database for a backup: SQLite's own online backup, less what must not go along.

The copy is one file, without a write-ahead log, and vacuumed: nothing that was taken out is left in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime
from pathlib import Path

from segint_grpc.domain.audit import Head
from segint_grpc.domain.jobs import UNFINISHED
from segint_grpc.errors import JobFailure
from segint_grpc.store import audit_chain, lifecycle
from segint_grpc.store.database import Database
from segint_grpc.store.schema import JobTable

SECRET_TABLES = ("token", "user_account")
"""Tables with hashes of tokens and passwords, which go along in sealed backups alone."""

LEFT_OUT = "The server was restored from a backup that holds no scans; post the scan again."


def copy_database(source: Path, target: Path) -> None:
    """Copy `source`, what is in its write-ahead log included, while others read and write it."""
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


def without_jobs(copy: Path, now: Callable[[], datetime]) -> None:
    """Note in `copy` that no job has a file any more; those that are unfinished fail."""
    database = Database(copy)
    failure = lifecycle.failed(UNFINISHED, now(), JobFailure.error_code, LEFT_OUT)
    with database.write() as transaction:
        unfinished = JobTable.select(JobTable.id).where(JobTable.state.in_(UNFINISHED))
        for row in transaction.rows(unfinished):
            lifecycle.advance(transaction, row["id"], failure, now())
        transaction.change(JobTable.update(body_kept=False, result_kept=False))
    database.close()


def without_secrets(copy: Path) -> None:
    """Take out of `copy` what tokens and passwords are checked against."""
    database = Database(copy)
    with database.write() as transaction:
        transaction.empty(SECRET_TABLES)
    database.close()


def without_files(copy: Path, bodies: Collection[str], results: Collection[str]) -> None:
    """Note in `copy` that these jobs' bodies, and these jobs' results, are gone."""
    database = Database(copy)
    with database.write() as transaction:
        transaction.change(JobTable.update(body_kept=False).where(JobTable.id.in_(list(bodies))))
        transaction.change(JobTable.update(result_kept=False).where(JobTable.id.in_(list(results))))
    database.close()


def head_in(copy: Path) -> Head:
    """Return the head of the audit log in `copy`."""
    database = Database(copy)
    with database.read() as transaction:
        head = audit_chain.head_of(transaction)
    database.close()
    return head


def compact(copy: Path) -> None:
    """Make one file of `copy`, without anything that was deleted from it."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
