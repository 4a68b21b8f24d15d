"""The one place that opens connections and transactions.

SQLite in WAL mode. A read is a transaction too, so all its queries see the same moment. A write begins
with BEGIN IMMEDIATE: one that reads first and writes later would be refused at once, whatever the busy
timeout, if another writer came between (https://www.sqlite.org/lang_transaction.html). synchronous=FULL
makes a commit durable in WAL mode (https://www.sqlite.org/pragma.html#pragma_synchronous). A write that a
restart makes good again does without: NORMAL may lose it with the machine's power, never out of order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee
from playhouse.pool import PooledSqliteDatabase  # type: ignore[import-untyped]

from segint_grpc import errors
from segint_grpc.store.prepared import Prepared, Row

BUSY_TIMEOUT_S = 30
TRUNCATE_TIMEOUT_S = 1
PRAGMAS: dict[str, str | int] = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "busy_timeout": BUSY_TIMEOUT_S * 1000,
    "secure_delete": "ON",
}

FULL = "PRAGMA synchronous = FULL"
NORMAL = "PRAGMA synchronous = NORMAL"

__all__ = ["Database", "Row", "Transaction"]


class Transaction:
    """What can be done inside a transaction: ask, and change."""

    def __init__(self, database: Any) -> None:
        """Work on the connection that this thread has opened in `database`."""
        self._database = database
        self.committed: list[Callable[[], None]] = []
        """To be called once this transaction has been committed, by the thread that did."""

    def rows(self, query: Any) -> list[Row]:
        """Return every row of a peewee query, or of a change with RETURNING."""
        # list() of peewee's result itself asks for its length first, and that hides what goes wrong in it.
        return list(iter(query.dicts().execute(self._database)))

    def row(self, query: Any) -> Row | None:
        """Return the first row of `query`, or None."""
        return next(iter(self.rows(query)), None)

    def count(self, query: Any) -> int:
        """Return how many rows the select `query` has."""
        return int(query.count(self._database))

    def change(self, query: Any) -> int:
        """Return how many rows an update or delete has changed, or the key that an insert has made."""
        return int(query.execute(self._database) or 0)

    def empty(self, tables: Iterable[str]) -> None:
        """Delete every row of `tables`, where they are there."""
        for name in set(tables) & set(self._database.get_tables()):
            self._database.execute_sql(f'DELETE FROM "{name}"')

    def ask(self, statement: Prepared, **values: Any) -> list[Row]:
        """Return every row of a prepared select, or of a prepared change with RETURNING."""
        return statement.rows(self._database, values)

    def do(self, statement: Prepared, **values: Any) -> int:
        """Return how many rows a prepared insert, update or delete has changed."""
        return int(statement.execute(self._database, values).rowcount)


class Database:
    """A SQLite file, with a connection of its own for each transaction, taken from a pool."""

    def __init__(self, path: Path) -> None:
        """Name the file, which must have been through the migrations; nothing is opened."""
        self._database = PooledSqliteDatabase(
            str(path), pragmas=PRAGMAS, max_connections=None, autoconnect=False, check_same_thread=False
        )

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one moment of the database; raises as `write`."""
        with self._transaction("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Transaction]:
        """Open a transaction that may change things; what it did is durable when the block has ended.

        One that need not be `durable` survives the process all the same, and becomes durable with the next
        one that is: only a machine that loses its power forgets it, and then nothing that came before.

        Transactions don't nest: a second one in the same thread fails.

        Raises:
            DiskFull: there is no room for the change.
            Unavailable: the database stayed locked, or the disk fails.
        """
        with self._transaction(FULL if durable else NORMAL, "BEGIN IMMEDIATE") as transaction:
            yield transaction

    @contextmanager
    def _transaction(self, *beginning: str) -> Iterator[Transaction]:
        with _translated():
            self._database.connect()
            try:
                for statement in beginning:
                    self._database.execute_sql(statement)
                transaction = Transaction(self._database)
                yield transaction
                self._database.commit()
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._database.close()
        for tell in transaction.committed:
            tell()

    def _roll_back(self) -> None:
        """Undo what was not committed, as SQLite itself has already done when its disk was full."""
        if self._database.connection().in_transaction:
            self._database.rollback()

    def has(self, table: type[peewee.Model]) -> bool:
        """Return whether the database has `table`, which an older one may lack."""
        with _translated():
            self._database.connect()
            try:
                return table._meta.table_name in self._database.get_tables()
            finally:
                self._database.close()

    def truncate_log(self) -> bool:
        """Empty the write-ahead log, so that nothing which was deleted is left in it; return whether it is.

        It is not while somebody reads or writes for more than `TRUNCATE_TIMEOUT_S`; try again later then.
        """
        with _translated():
            self._database.connect()
            try:
                self._database.execute_sql(f"PRAGMA busy_timeout = {TRUNCATE_TIMEOUT_S * 1000}")
                (busy, *_) = self._database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                return not busy
            except peewee.OperationalError as error:
                if sqlite_name(error).startswith("SQLITE_BUSY"):
                    return False
                raise
            finally:
                self._database.execute_sql(f"PRAGMA busy_timeout = {PRAGMAS['busy_timeout']}")
                self._database.close()

    def close(self) -> None:
        """Close every connection; the database cannot be opened through this object again."""
        if not self._database.deferred:
            self._database.close_all()
            self._database.init(None)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the disk did into the domain's errors; the rest is a mistake of ours and stays as it is."""
    try:
        yield
    except peewee.OperationalError as error:
        name = sqlite_name(error)
        if name == "SQLITE_FULL":
            raise errors.DiskFull from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise errors.Unavailable(f"The database cannot be used at present ({name}).") from error
        raise


def sqlite_name(error: peewee.PeeweeException) -> str:
    """Return SQLite's own name for `error`, such as SQLITE_BUSY, or nothing where it has none.

    See https://www.sqlite.org/rescode.html.
    """
    return str(getattr(getattr(error, "orig", None), "sqlite_errorname", ""))
