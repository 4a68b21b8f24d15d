"""Brings a database to this release's schema, step by step, or refuses to touch it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

import peewee

from segint_grpc import errors
from segint_grpc.home import Home
from segint_grpc.store import migrations
from segint_grpc.store.database import BUSY_TIMEOUT_S
from segint_grpc.store.durable import PART, publish, sync_folder
from segint_grpc.store.schema import MigrationTable

_PRAGMAS = {"synchronous": "FULL", "foreign_keys": "OFF", "busy_timeout": BUSY_TIMEOUT_S * 1000}
"""References are not enforced while steps run, which may have to rebuild tables, but checked at the end."""


class Step(Protocol):
    """What a file in migrations/ holds."""

    def apply(self, database: peewee.Database) -> None:
        """Change the schema, inside the transaction that is open."""


@dataclass(frozen=True)
class Migration:
    """One numbered step from a schema to the next; `name` is its file's, without the ending."""

    number: int
    name: str
    step: Step


def known_migrations() -> list[Migration]:
    """Return this release's migrations in order; their files are named NNNN_what.py."""
    names = [module.name for module in pkgutil.iter_modules(migrations.__path__)]
    return [
        Migration(int(name[:4]), name, cast(Step, importlib.import_module(f"{migrations.__name__}.{name}")))
        for name in sorted(names)
        if re.fullmatch(r"\d{4}_\w+", name)
    ]


def migrate(home: Home, at: datetime, steps: Sequence[Migration] | None = None) -> None:
    """Apply to the database of `home` those of `steps` (default: this release's) that it has not seen.

    They are applied together or not at all. Where there is anything to migrate, a copy of the database as
    it was is put into the home's backups first.

    Raises:
        NewerSchema: the database has been through a migration that is not among `steps`.
        StartRefused: the file is no database of ours, cannot be used, or a step failed.
    """
    steps = known_migrations() if steps is None else steps
    try:
        with _opened(home.database) as database:
            _migrate(database, home, at, steps)
    except (peewee.DatabaseError, sqlite3.DatabaseError) as error:
        raise errors.StartRefused(f"The database {home.database} cannot be used: {error}.") from error


def _migrate(database: peewee.Database, home: Home, at: datetime, steps: Sequence[Migration]) -> None:
    seen = _applied(database, home.database)
    unknown = sorted(seen - {step.number for step in steps})
    if unknown:
        raise errors.NewerSchema(
            f"The database {home.database} was written by a newer release: it has been through migration "
            f"{unknown[-1]}, this release knows {len(steps)}. Install that release again, or restore a copy "
            f"from {home.backups}."
        )
    if all(step.number in seen for step in steps):
        return
    if seen:
        _back_up(home, at, before=min(step.number for step in steps if step.number not in seen))
    with database.atomic("IMMEDIATE"):
        for step in steps:
            if step.number not in _applied(database, home.database):
                _apply(database, step, at)
        _check_references(database)


def _apply(database: peewee.Database, step: Migration, at: datetime) -> None:
    try:
        step.step.apply(database)
        MigrationTable.insert(number=step.number, name=step.name, applied_at=at).execute(database)
    except peewee.DatabaseError as error:
        raise errors.StartRefused(
            f"The database could not be brought to this release: migration {step.name} failed ({error}). "
            "It is as it was before."
        ) from error


def _check_references(database: peewee.Database) -> None:
    broken = list(peewee.RawQuery("PRAGMA foreign_key_check").tuples().execute(database))
    if broken:
        tables = sorted({str(row[0]) for row in broken})
        raise errors.StartRefused(f"A migration left dangling references in {', '.join(tables)}.")


def _applied(database: peewee.Database, path: Path) -> set[int]:
    tables = database.get_tables()
    if MigrationTable._meta.table_name in tables:
        rows = MigrationTable.select(MigrationTable.number).tuples().execute(database)
        return {int(row[0]) for row in rows}
    if tables:
        raise errors.StartRefused(f"{path} is a database of something else; choose another home with --home.")
    return set()


@contextmanager
def _opened(path: Path) -> Iterator[peewee.Database]:
    """Open the database `path`, making an empty one, private to the user, where there is none."""
    if not path.exists():
        path.touch(mode=0o600)
        sync_folder(path.parent)
    database = peewee.SqliteDatabase(str(path), pragmas=_PRAGMAS, autoconnect=False)
    database.connect()
    try:
        yield database
    finally:
        database.close()


def _back_up(home: Home, at: datetime, before: int) -> None:
    """Copy the database, what is still in its write-ahead log included, before migration `before`."""
    name = f"segint-before-{before:04d}-{at:%Y%m%dT%H%M%S}.sqlite3"
    temporary = home.backups / f".{name}{PART}"
    temporary.touch(mode=0o600)
    with closing(sqlite3.connect(home.database)) as source, closing(sqlite3.connect(temporary)) as copy:
        source.backup(copy)
    publish(temporary, home.backups / name)
