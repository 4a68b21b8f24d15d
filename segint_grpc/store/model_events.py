"""The record of what was done to the models; every act writes its event in its own transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from segint_grpc.domain.models import ModelEvent
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.schema import ModelEventTable

EVENTS_MAX = 1000

_NEWEST = ModelEventTable.select(ModelEventTable.id).order_by(ModelEventTable.id.desc()).limit(1)


class Recorder:
    """Writes events inside other stores' transactions, and remembers the newest that was committed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Date events with what `now` tells (aware, UTC)."""
        self._now = now
        self._newest = 0
        self._lock = threading.Lock()

    @property
    def newest(self) -> int:
        """The highest number that was noted, 0 where none was."""
        return self._newest

    def note(self, number: int) -> None:
        """Note that the event `number` is committed."""
        with self._lock:
            self._newest = max(self._newest, number)

    def record(
        self,
        transaction: Transaction,
        kind: str,
        canonical_name: str = "",
        version_id: str = "",
        text: str = "",
        forced: bool = False,
    ) -> int:
        """Write an event, and return its number, which no other ever has."""
        number = transaction.change(
            ModelEventTable.insert(
                at=self._now(),
                kind=kind,
                canonical_name=canonical_name,
                version_id=version_id,
                text=text,
                forced=forced,
            )
        )
        transaction.committed.append(partial(self.note, number))
        return number


class ModelEventStore:
    """Reads the record."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        """Read from `database`, in which `recorder` alone writes events."""
        self._database = database
        self._recorder = recorder

    def newest(self) -> int:
        """Return the number of the newest event, 0 where there is none: it grows with every change."""
        if not self._recorder.newest:
            with self._database.read() as transaction:
                for row in transaction.rows(_NEWEST):
                    self._recorder.note(row["id"])
        return self._recorder.newest

    def events(self, canonical_name: str = "") -> list[ModelEvent]:
        """Return the newest events, oldest first: of one family, or, where none is named, of all."""
        query = ModelEventTable.select().order_by(ModelEventTable.id.desc()).limit(EVENTS_MAX)
        if canonical_name:
            query = query.where(ModelEventTable.canonical_name == canonical_name)
        with self._database.read() as transaction:
            return [_event(row) for row in reversed(transaction.rows(query))]


def _event(row: Row) -> ModelEvent:
    return ModelEvent(
        at=row["at"],
        kind=row["kind"],
        canonical_name=row["canonical_name"],
        version_id=row["version_id"],
        text=row["text"],
        forced=row["forced"],
    )
