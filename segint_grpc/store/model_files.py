"""The files that versions use, and which contents may run code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.model_events import Recorder
from segint_grpc.store.model_rows import file_of, no_file, unused_files
from segint_grpc.store.schema import ApprovalTable, FileTable


class ModelFileStore:
    """Files are known by content and name; code is approved by content."""

    def __init__(self, database: Database, now: Callable[[], datetime], recorder: Recorder) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC); `recorder` writes."""
        self._database = database
        self._now = now
        self._recorder = recorder

    def add(self, file: FileRecord) -> None:
        """Note that a file is in its place on disk; one that was known counts as added anew."""
        query = FileTable.insert(
            sha256=file.sha256, name=file.name, size_bytes=file.size_bytes, added_at=self._now()
        )
        with self._database.write() as transaction:
            transaction.change(
                query.on_conflict(
                    conflict_target=[FileTable.sha256, FileTable.name],
                    preserve=[FileTable.size_bytes, FileTable.added_at],
                )
            )
            self._recorder.record(transaction, "file stored", text=f"{file.name} {file.sha256}")

    def find(self, sha256: str, name: str = "") -> FileRecord:
        """Return the file of that content and that name; either may be empty.

        Of several names for one content the one added last is meant; a name for several contents is refused.

        Raises:
            NotFound: there is none.
            InvalidModel: the name alone does not tell which one is meant.
        """
        query = FileTable.select().order_by(FileTable.added_at.desc(), FileTable.id.desc())
        query = query.where(FileTable.sha256 == sha256) if sha256 else query
        query = query.where(FileTable.name == name) if name else query
        with self._database.read() as transaction:
            rows = transaction.rows(query) if sha256 or name else []
        if not rows:
            raise no_file(sha256, name)
        if not sha256 and len(rows) > 1:
            contents = ", ".join(row["sha256"] for row in rows)
            raise errors.InvalidModel(f"Several files are called {name!r}; name the SHA-256: {contents}.")
        return file_of(rows[0])

    def files(self) -> list[FileRecord]:
        """Return every known file, in the order in which they came."""
        with self._database.read() as transaction:
            return [file_of(row) for row in transaction.rows(FileTable.select().order_by(FileTable.id))]

    def forget_unused(self, unused_s: float) -> list[FileRecord]:
        """Forget the files that nothing uses and that came more than `unused_s` ago, and return them."""
        before = self._now() - timedelta(seconds=unused_s)
        with self._database.write() as transaction:
            unused = unused_files(transaction)
            return forget(transaction, [row for row in unused if row["added_at"] <= before])

    def approve(self, sha256: str) -> None:
        """Note that whoever loads a file of that content may run its code; once noted it stays."""
        insert = ApprovalTable.insert(sha256=sha256, approved_at=self._now())
        with self._database.write() as transaction:
            known = transaction.row(ApprovalTable.select().where(ApprovalTable.sha256 == sha256))
            if known is None:
                transaction.change(insert)
                self._recorder.record(transaction, "code approved", text=sha256)

    def approvals(self) -> dict[str, datetime]:
        """Return the SHA-256 of every approved content, with when it was approved."""
        with self._database.read() as transaction:
            rows = transaction.rows(ApprovalTable.select())
        return {row["sha256"]: row["approved_at"] for row in rows}


def forget(transaction: Transaction, rows: Sequence[Row]) -> list[FileRecord]:
    """Delete whole file rows that nothing refers to, and return their files."""
    transaction.change(FileTable.delete().where(FileTable.id.in_([row["id"] for row in rows])))
    return [file_of(row) for row in rows]
