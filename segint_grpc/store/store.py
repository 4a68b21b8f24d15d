"""The store as the service sees it: one object with the jobs, the models, the opinions and the media."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from segint_grpc.home import Home
from segint_grpc.store.audit import AuditStore
from segint_grpc.store.database import Database
from segint_grpc.store.inbox import Inbox
from segint_grpc.store.job_statistics import StatisticsStore
from segint_grpc.store.jobs import JobStore
from segint_grpc.store.media import Media
from segint_grpc.store.migrator import migrate
from segint_grpc.store.model_events import ModelEventStore, Recorder
from segint_grpc.store.model_files import ModelFileStore
from segint_grpc.store.models import ModelStore
from segint_grpc.store.opinions import OpinionStore
from segint_grpc.store.retention import RetentionStore
from segint_grpc.store.token_key import load_or_make_key
from segint_grpc.store.tokens import TokenStore
from segint_grpc.store.users import UserStore
from segint_grpc.store.versions import VersionStore


def utc_now() -> datetime:
    """Return the present moment, aware, UTC."""
    return datetime.now(UTC)


class Store:
    """The database and media of one home; a context manager. The home must exist and be ours alone."""

    def __init__(self, home: Home, now: Callable[[], datetime] = utc_now) -> None:
        """Bring the database of `home` to this release's schema, making it where there is none.

        Raises:
            NewerSchema: a newer release has written the database.
            StartRefused: the database cannot be opened or migrated.
        """
        migrate(home, now())
        self._database = Database(home.database)
        self.now = now
        self.traces_left = True
        """Something deleted may still be in the write-ahead log; see `erase`."""
        self.jobs = JobStore(self._database, now)
        recorder = Recorder(now)
        self.models = ModelStore(self._database, now, recorder)
        self.model_files = ModelFileStore(self._database, now, recorder)
        self.versions = VersionStore(self._database, recorder)
        self.model_events = ModelEventStore(self._database, recorder)
        self.opinions = OpinionStore(self._database, now)
        self.retention = RetentionStore(self._database, now)
        self.statistics = StatisticsStore(self._database)
        self.audit = AuditStore(self._database, now)
        self.tokens = TokenStore(self._database, now)
        self.users = UserStore(self._database, now)
        self.token_key = load_or_make_key(home.token_key)
        self.media = Media(home)
        self.inbox = Inbox(home)

    def sweep(self) -> int:
        """Remove the media files that no row knows of; return how many. Only at start-up, before any request.

        Every voxel file and every half-written file is among them.
        """
        kept = self.retention.kept()
        return self.media.sweep(kept.bodies, kept.results, self.model_files.files())

    def erase(self) -> bool:
        """Let nothing of what was deleted be left in the database's files; return whether that was possible.

        Deleted rows are overwritten in the database itself (PRAGMA secure_delete); this empties the
        write-ahead log, in which they were written once.
        """
        self.traces_left = not self._database.truncate_log()
        return not self.traces_left

    def close(self) -> None:
        """Close the database; call it when no thread uses the store any more."""
        self._database.close()

    def __enter__(self) -> Self:
        """Return this store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the database."""
        self.close()


def open_store(home: Home) -> Store:
    """Return the store of `home`, migrated; raises as `Store`."""
    return Store(home)
