"""What has to be true of a database before it may take another's place, and the record that it did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.access import Caller, Door
from segint_grpc.domain.audit import Head, entry_by
from segint_grpc.domain.audit_check import Finding
from segint_grpc.store import audit_chain
from segint_grpc.store.audit import AuditStore
from segint_grpc.store.audit_schema import AuditTable
from segint_grpc.store.database import Database
from segint_grpc.store.migrator import known_migrations
from segint_grpc.store.store import utc_now


@dataclass(frozen=True)
class Checked:
    """What was found of a database: its audit log's head, and what is wrong with that log, if anything is."""

    head: Head
    finding: Finding | None


def check_database(path: Path) -> Checked:
    """Look at the whole database `path`, which no server uses.

    Raises:
        BrokenArchive: it is no database of ours, or damaged.
        NewerSchema: a newer release has written it.
    """
    try:
        _check(path)
    except sqlite3.DatabaseError as error:
        raise errors.BrokenArchive(f"The database in the archive cannot be used: {error}.") from None
    database = Database(path)
    try:
        if not database.has(AuditTable):
            return Checked(Head(), None)
        last = list(AuditStore(database, utc_now).check())[-1]
        return Checked(last.head, last.finding)
    finally:
        database.close()


def record_restore(path: Path, user: str, at: datetime, archive: str) -> None:
    """Write into the audit log of the database `path`, if it has one, that it was restored, and by whom."""
    database = Database(path)
    try:
        if not database.has(AuditTable):
            return
        with database.write() as transaction:
            owner = Caller(Door.ADMIN_SOCKET, "owner")
            entry = entry_by(owner, at, "backup.restore", "backup", archive, user=user)
            audit_chain.append(transaction, [entry])
    finally:
        database.close()


def _check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        result = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if result != "ok":
            raise errors.BrokenArchive(f"The database in the archive is damaged: {result}.")
        applied = connection.execute("SELECT number FROM migration ORDER BY number").fetchall()
    known = {step.number for step in known_migrations()}
    newer = [number for (number,) in applied if number not in known]
    if newer:
        raise errors.NewerSchema(
            f"The backup was made by a newer release: it has been through migration {newer[-1]}, this "
            f"release knows {len(known)}. Restore it with that release or a newer one."
        )
