"""Model families, what runs their versions, and the files that this takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.models import (
    ConstraintPolicy,
    FamilyRecord,
    FileRecord,
    RuntimeRecord,
    VersionRecord,
)
from segint_grpc.store.database import Database, Row, Transaction
from segint_grpc.store.model_rows import file_key, file_of, load_families, unused_files
from segint_grpc.store.schema import FamilyTable, FileTable, RuntimeTable, VersionTable


class ModelStore:
    """The families; a version's id is unique among all of them."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Keep them in `database`, with the time that `now` tells (aware, UTC)."""
        self._database = database
        self._now = now

    def import_family(
        self, canonical_name: str, version_ids: Sequence[str], body: bytes, policy: ConstraintPolicy
    ) -> FamilyRecord:
        """Keep a family under its canonical name, `body` to the byte; `version_ids` are its own, in order.

        A family of that name is replaced: it keeps its place, and its remaining versions their runtimes.

        Raises:
            InvalidModel: a version's id comes twice.
            AlreadyExists: a version's id is another family's.
        """
        twice = [version_id for version_id, times in Counter(version_ids).items() if times > 1]
        if twice:
            raise errors.InvalidModel(f"The family has two versions of the id {twice[0]}.")
        with self._database.write() as transaction:
            family_id = _put_family(transaction, canonical_name, body, policy, self._now())
            _put_versions(transaction, family_id, version_ids)
            return load_families(transaction, FamilyTable.id == family_id)[0]

    def families(self) -> list[FamilyRecord]:
        """Return every family, oldest first."""
        with self._database.read() as transaction:
            return load_families(transaction)

    def version(self, version_id: str) -> tuple[FamilyRecord, VersionRecord]:
        """Return a version with its family. Raises UnknownModel."""
        with self._database.read() as transaction:
            return _version(transaction, version_id)

    def set_runtime(self, version_id: str, runtime: RuntimeRecord) -> VersionRecord:
        """Say what runs a version; its revision becomes a new one, higher than any before.

        Raises:
            UnknownModel: there is no such version.
            NotFound: a file of the runtime is not here.
            InvalidModel: the parameters are nothing that JSON can hold.
        """
        with self._database.write() as transaction:
            _version(transaction, version_id)
            transaction.change(RuntimeTable.delete().where(RuntimeTable.version == version_id))
            transaction.change(
                RuntimeTable.insert(
                    version=version_id,
                    backend=runtime.backend,
                    model_file=file_key(transaction, runtime.model_file),
                    module_file=file_key(transaction, runtime.module_file),
                    entry=runtime.entry,
                    parameters=_json(runtime.parameters),
                )
            )
            return _version(transaction, version_id)[1]

    def add_file(self, file: FileRecord) -> None:
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

    def file(self, sha256: str, name: str = "") -> FileRecord:
        """Return the file of that content and, where it is given, name; else the one added last.

        Raises:
            NotFound: there is none.
        """
        query = FileTable.select().where(FileTable.sha256 == sha256)
        if name:
            query = query.where(FileTable.name == name)
        with self._database.read() as transaction:
            row = transaction.row(query.order_by(FileTable.added_at.desc(), FileTable.id.desc()))
        if row is None:
            raise errors.NotFound(f"No file {name} with SHA-256 {sha256} is here; upload it.")
        return file_of(row)

    def files(self) -> list[FileRecord]:
        """Return every known file, in the order in which they came."""
        with self._database.read() as transaction:
            return [file_of(row) for row in transaction.rows(FileTable.select().order_by(FileTable.id))]

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
            unused = unused_files(transaction)
            return _forget(transaction, [row for row in unused if file_of(row) in once_used])

    def forget_unused_files(self, unused_s: float) -> list[FileRecord]:
        """Forget the files that nothing uses and that came more than `unused_s` ago; returned as above."""
        before = self._now() - timedelta(seconds=unused_s)
        with self._database.write() as transaction:
            unused = unused_files(transaction)
            return _forget(transaction, [row for row in unused if row["added_at"] <= before])


def _json(parameters: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise errors.InvalidModel(f"The runtime's parameters cannot be kept as JSON: {error}.") from None


def _put_family(
    transaction: Transaction, canonical_name: str, body: bytes, policy: ConstraintPolicy, at: datetime
) -> int:
    columns = {"body": body, "policy": policy, "imported_at": at}
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
    transaction.change(VersionTable.delete().where(VersionTable.family == family_id, ~wanted))
    for position, version_id in enumerate(version_ids):
        insert = VersionTable.insert(version_id=version_id, family=family_id, position=position)
        transaction.change(
            insert.on_conflict(conflict_target=[VersionTable.version_id], preserve=[VersionTable.position])
        )


def _version(transaction: Transaction, version_id: str) -> tuple[FamilyRecord, VersionRecord]:
    owner = VersionTable.select(VersionTable.family).where(VersionTable.version_id == version_id)
    for family in load_families(transaction, FamilyTable.id.in_(owner)):
        for version in family.versions:
            if version.version_id == version_id:
                return family, version
    raise errors.UnknownModel(f"No model {version_id} is here.")


def _forget(transaction: Transaction, rows: Sequence[Row]) -> list[FileRecord]:
    transaction.change(FileTable.delete().where(FileTable.id.in_([row["id"] for row in rows])))
    return [file_of(row) for row in rows]
