"""Model families, and what runs their versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.jobs import UNFINISHED
from segint_grpc.domain.models import ConstraintPolicy, FamilyRecord, FileRecord, RuntimeRecord, VersionRecord
from segint_grpc.domain.versions import Act, VersionState
from segint_grpc.store.database import Database, Transaction
from segint_grpc.store.model_events import Recorder
from segint_grpc.store.model_files import forget
from segint_grpc.store.model_rows import file_key, file_of, find_version, load_families, unused_files
from segint_grpc.store.schema import CheckTable, FamilyTable, JobTable, RuntimeTable, VersionTable


class ModelStore:
    """The families; a version's id is unique among all of them."""

    def __init__(self, database: Database, now: Callable[[], datetime], recorder: Recorder) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC); `recorder` writes."""
        self._database = database
        self._now = now
        self._recorder = recorder

    def create_family(
        self, canonical_name: str, version_ids: Sequence[str], body: bytes, policy: ConstraintPolicy
    ) -> FamilyRecord:
        """Keep a new family; as `import_family`, but AlreadyExists where one of its name is here."""
        _check_ids(version_ids)
        with self._database.write() as transaction:
            if load_families(transaction, FamilyTable.canonical_name == canonical_name):
                raise errors.AlreadyExists(
                    f"A model family {canonical_name!r} is here already; update it, or choose another name."
                )
            return self._put(transaction, "created", canonical_name, version_ids, body, policy)

    def import_family(
        self,
        canonical_name: str,
        version_ids: Sequence[str],
        body: bytes,
        policy: ConstraintPolicy,
        redefined: Collection[str] = (),
    ) -> FamilyRecord:
        """Keep a family under its canonical name, `body` to the byte; `version_ids` are its own, in order.

        A family of that name is replaced: it keeps its place, and its remaining versions their runtimes and
        states; those that are `redefined` become drafts.

        Raises:
            InvalidModel: a version's id comes twice.
            AlreadyExists: a version's id is another family's.
            JobsUnfinished: a version that it no longer has still has unfinished jobs.
        """
        _check_ids(version_ids)
        with self._database.write() as transaction:
            return self._put(transaction, "imported", canonical_name, version_ids, body, policy, redefined)

    def update_family(
        self,
        before: FamilyRecord,
        version_ids: Sequence[str],
        body: bytes,
        policy: ConstraintPolicy,
        redefined: Collection[str] = (),
    ) -> FamilyRecord:
        """Replace the family that was `before`, unless it has changed since.

        Raises:
            UnknownFamily, Outdated: it is gone, or its revision is another by now.
            InvalidModel, AlreadyExists, JobsUnfinished: as `import_family`.
        """
        _check_ids(version_ids)
        name = before.canonical_name
        with self._database.write() as transaction:
            self._check_revision(transaction, name, before.revision)
            return self._put(transaction, "updated", name, version_ids, body, policy, redefined)

    def families(self) -> list[FamilyRecord]:
        """Return every family, oldest first."""
        with self._database.read() as transaction:
            return load_families(transaction)

    def version(self, version_id: str) -> tuple[FamilyRecord, VersionRecord]:
        """Return a version with its family. Raises UnknownModel."""
        with self._database.read() as transaction:
            return find_version(transaction, version_id)

    def set_runtime(self, version_id: str, runtime: RuntimeRecord) -> VersionRecord:
        """Say what runs a version, which becomes a draft; its revision is a new one, higher than any before.

        Raises:
            UnknownModel: there is no such version.
            NotFound: a file of the runtime is not here.
            InvalidModel: the parameters are nothing that JSON can hold.
        """
        with self._database.write() as transaction:
            family, _ = find_version(transaction, version_id)
            transaction.change(RuntimeTable.delete().where(RuntimeTable.version == version_id))
            transaction.change(
                RuntimeTable.insert(
                    version=version_id,
                    backend=runtime.backend,
                    model_file=file_key(transaction, runtime.model_file),
                    module_file=file_key(transaction, runtime.module_file),
                    entry=runtime.entry,
                    parameters=_json(runtime.parameters),
                    check_scan=file_key(transaction, runtime.check_scan),
                    handling=runtime.handling,
                    interpreter=runtime.interpreter,
                )
            )
            _make_drafts(transaction, [version_id])
            files = (f"{file.name} {file.sha256}" for file in runtime.files)
            place = [f"interpreter {runtime.interpreter}"] if runtime.interpreter else []
            facts = ", ".join([runtime.backend, *place, *files])
            name = family.canonical_name
            self._recorder.record(transaction, Act.SET_RUNTIME, name, version_id, facts)
            return find_version(transaction, version_id)[1]

    def remove_family(self, canonical_name: str) -> list[FileRecord]:
        """Forget a family; return those of its files that nothing uses any more, for the caller to remove.

        Raises:
            UnknownFamily: there is none of that name.
        """
        with self._database.write() as transaction:
            families = load_families(transaction, FamilyTable.canonical_name == canonical_name)
            if not families:
                raise errors.UnknownFamily(f"No model family {canonical_name} is here.")
            transaction.change(FamilyTable.delete().where(FamilyTable.canonical_name == canonical_name))
            runtimes = [version.runtime for version in families[0].versions if version.runtime]
            once_used = {file for runtime in runtimes for file in runtime.files}
            self._recorder.record(transaction, "removed", canonical_name)
            unused = unused_files(transaction)
            return forget(transaction, [row for row in unused if file_of(row) in once_used])

    def _check_revision(self, transaction: Transaction, canonical_name: str, revision: int) -> None:
        query = FamilyTable.select(FamilyTable.revision).where(FamilyTable.canonical_name == canonical_name)
        row = transaction.row(query)
        if row is None:
            raise errors.UnknownFamily(f"The model family {canonical_name!r} has been removed meanwhile.")
        if row["revision"] != revision:
            raise errors.Outdated(
                f"The family {canonical_name!r} is at revision {row['revision']}, not {revision}: somebody "
                "has changed it meanwhile. Get it again, and make your change to that."
            )

    def _put(
        self,
        transaction: Transaction,
        kind: str,
        canonical_name: str,
        version_ids: Sequence[str],
        body: bytes,
        policy: ConstraintPolicy,
        redefined: Collection[str] = (),
    ) -> FamilyRecord:
        revision = self._recorder.record(transaction, kind, canonical_name)
        columns = {"body": body, "policy": policy, "imported_at": self._now(), "revision": revision}
        family_id = _put_family(transaction, canonical_name, columns)
        _put_versions(transaction, family_id, version_ids)
        family = load_families(transaction, FamilyTable.id == family_id)[0]
        void = [version for version in family.versions if version.version_id in redefined]
        for version in void:
            if version.state is not VersionState.DRAFT:
                text = "its structures or inputs have changed"
                self._recorder.record(transaction, Act.REDEFINE, canonical_name, version.version_id, text)
        _make_drafts(transaction, [version.version_id for version in void])
        return load_families(transaction, FamilyTable.id == family_id)[0]


def _check_ids(version_ids: Sequence[str]) -> None:
    twice = [version_id for version_id, times in Counter(version_ids).items() if times > 1]
    if twice:
        raise errors.InvalidModel(f"The family has two versions of the id {twice[0]}.")


def _json(parameters: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise errors.InvalidModel(f"The runtime's parameters cannot be kept as JSON: {error}.") from None


def _put_family(transaction: Transaction, canonical_name: str, columns: Mapping[str, Any]) -> int:
    query = FamilyTable.select(FamilyTable.id).where(FamilyTable.canonical_name == canonical_name)
    row = transaction.row(query)
    if row is None:
        return transaction.change(FamilyTable.insert(canonical_name=canonical_name, **columns))
    transaction.change(FamilyTable.update(**columns).where(FamilyTable.id == row["id"]))
    return int(row["id"])


def _put_versions(transaction: Transaction, family_id: int, version_ids: Sequence[str]) -> None:
    wanted: Any = VersionTable.version_id.in_(list(version_ids))
    foreign = transaction.row(VersionTable.select().where(wanted, VersionTable.family != family_id))
    if foreign:
        raise errors.AlreadyExists(
            f"Another model family already has a version of the id {foreign['version_id']}; "
            "remove that family, or give this version another id."
        )
    gone = transaction.rows(VersionTable.select().where(VersionTable.family == family_id, ~wanted))
    _check_unused(transaction, [row["version_id"] for row in gone])
    transaction.change(VersionTable.delete().where(VersionTable.family == family_id, ~wanted))
    for position, version_id in enumerate(version_ids):
        insert = VersionTable.insert(version_id=version_id, family=family_id, position=position)
        transaction.change(
            insert.on_conflict(conflict_target=[VersionTable.version_id], preserve=[VersionTable.position])
        )


def _check_unused(transaction: Transaction, version_ids: list[str]) -> None:
    """Raise JobsUnfinished where versions that are about to go have jobs to run."""
    unfinished = JobTable.select().where(
        JobTable.model_id.in_(version_ids), JobTable.state.in_(list(UNFINISHED))
    )
    count = transaction.count(unfinished)
    if count:
        raise errors.JobsUnfinished(
            f"{count} jobs of versions that the family would no longer have are unfinished "
            f"({', '.join(version_ids)}); wait for them, or cancel them."
        )


def _make_drafts(transaction: Transaction, version_ids: list[str]) -> None:
    versions: Any = VersionTable.version_id.in_(version_ids)
    transaction.change(VersionTable.update(state=VersionState.DRAFT, forced=False).where(versions))
    transaction.change(CheckTable.delete().where(CheckTable.version.in_(version_ids)))
