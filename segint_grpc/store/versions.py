"""The states of versions: every act is one transaction that the table allows, with its event."""

from __future__ import annotations

from datetime import datetime

from segint_grpc import errors
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.models import CheckRecord, FamilyRecord, VersionRecord
from segint_grpc.domain.versions import Act, after
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.loads import keep_load, loads
from segint_grpc.store.model_events import Recorder
from segint_grpc.store.model_rows import find_version, load_families
from segint_grpc.store.schema import CheckTable, FamilyTable, VersionTable


class VersionStore:
    """Takes versions from draft to retired, and keeps what their checks found."""

    def __init__(self, database: Database, recorder: Recorder) -> None:
        """Work on `database`; `recorder` writes down what is done."""
        self._database = database
        self._recorder = recorder

    def keep_check(self, version_id: str, check: CheckRecord, text: str = "") -> VersionRecord:
        """Keep what a check found, in place of the one before.

        Raises:
            UnknownModel: the version is gone.
            Outdated: another runtime than the one that was checked runs it by now.
        """
        act = Act.PASS_CHECK if check.passed else Act.FAIL_CHECK
        with self._database.write() as transaction:
            _, version = find_version(transaction, version_id)
            if version.runtime is None or version.runtime.revision != check.runtime_revision:
                raise errors.Outdated(
                    f"What runs {version_id!r} was changed while it was checked; check it again."
                )
            columns = {
                "runtime_revision": check.runtime_revision,
                "passed": check.passed,
                "checked_at": check.checked_at,
                "body": check.body,
            }
            transaction.change(CheckTable.delete().where(CheckTable.version == version_id))
            transaction.change(CheckTable.insert(version=version_id, **columns))
            return self._act(transaction, version_id, act, text, version.forced)

    def keep_load(self, version_id: str, load: ModelLoad, at: datetime) -> None:
        """Keep what a load took, in place of the one before; without effect where the version is gone."""
        with self._database.write() as transaction:
            keep_load(transaction, version_id, load, at)

    def loads(self, version_id: str = "") -> dict[str, ModelLoad]:
        """Return the last load of a version, or of every one where it is empty, by version id."""
        with self._database.read() as transaction:
            return loads(transaction, version_id)

    def act(self, version_id: str, act: Act, text: str = "", forced: bool = False) -> VersionRecord:
        """Do `act` to a version; `text` says why, `forced` whether a passed check is lacking.

        Raises:
            UnknownModel: there is no such version.
            NotNow: its state does not allow it.
        """
        with self._database.write() as transaction:
            return self._act(transaction, version_id, act, text, forced)

    def set_default(self, version_id: str, former: str) -> FamilyRecord:
        """List a version first in its family, and activate it; `former` was listed first until now.

        Raises:
            UnknownModel: there is no such version.
            NotNow: its state does not allow its activation.
        """
        with self._database.write() as transaction:
            family, version = find_version(transaction, version_id)
            if after(version.state, Act.ACTIVATE) is not version.state:
                self._act(transaction, version_id, Act.ACTIVATE, "made the default", version.forced)
            name = family.canonical_name
            update = FamilyTable.update(default_version=version_id, former_default=former)
            transaction.change(update.where(FamilyTable.canonical_name == name))
            self._recorder.record(transaction, "made the default", name, version_id, f"before: {former}")
            return load_families(transaction, FamilyTable.canonical_name == name)[0]

    def _act(
        self, transaction: Transaction, version_id: str, act: Act, text: str, forced: bool
    ) -> VersionRecord:
        family, version = find_version(transaction, version_id)
        state = after(version.state, act)
        update = VersionTable.update(state=state, forced=forced)
        transaction.change(update.where(VersionTable.version_id == version_id))
        self._recorder.record(transaction, act, family.canonical_name, version_id, text, forced)
        return find_version(transaction, version_id)[1]
