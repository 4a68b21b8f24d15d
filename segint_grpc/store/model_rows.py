"""Rows of the model tables as the domain's records."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from peewee import fn

from segint_grpc import errors
from segint_grpc.domain.models import (
    ConstraintPolicy,
    FamilyRecord,
    FileRecord,
    RuntimeRecord,
    VersionRecord,
)
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.schema import FamilyTable, FileTable, RuntimeTable, VersionTable


def load_families(transaction: Transaction, *conditions: Any) -> list[FamilyRecord]:
    """Return the families that meet `conditions` on FamilyTable, oldest first, with their versions."""
    families = transaction.rows(FamilyTable.select().where(True, *conditions).order_by(FamilyTable.id))
    keys = [row["id"] for row in families]
    query = VersionTable.select().where(VersionTable.family.in_(keys)).order_by(VersionTable.position)
    versions = transaction.rows(query)
    runtimes = _load_runtimes(transaction, [row["version_id"] for row in versions])
    by_family: dict[int, list[VersionRecord]] = defaultdict(list)
    for row in versions:
        version_id = row["version_id"]
        by_family[row["family"]].append(VersionRecord(version_id, row["position"], runtimes.get(version_id)))
    return [_family(row, tuple(by_family[row["id"]])) for row in families]


def file_of(row: Row) -> FileRecord:
    """Return the file of a whole file row."""
    return FileRecord(row["sha256"], row["name"], row["size_bytes"])


def file_key(transaction: Transaction, file: FileRecord | None) -> int | None:
    """Return the key of the row of `file`, None for none.

    Raises:
        NotFound: it is not here.
    """
    if file is None:
        return None
    query = FileTable.select(FileTable.id).where(FileTable.sha256 == file.sha256, FileTable.name == file.name)
    row = transaction.row(query)
    if row is None:
        raise errors.NotFound(f"No file {file.name} with SHA-256 {file.sha256} is here; upload it.")
    return int(row["id"])


def unused_files(transaction: Transaction) -> list[Row]:
    """Return the whole rows of the files that no runtime uses."""
    users = RuntimeTable.select().where(
        (RuntimeTable.model_file == FileTable.id) | (RuntimeTable.module_file == FileTable.id)
    )
    return transaction.rows(FileTable.select().where(~fn.EXISTS(users)))


def _load_runtimes(transaction: Transaction, version_ids: list[str]) -> dict[str, RuntimeRecord]:
    rows = transaction.rows(RuntimeTable.select().where(RuntimeTable.version.in_(version_ids)))
    keys = {key for row in rows for key in (row["model_file"], row["module_file"]) if key is not None}
    found = transaction.rows(FileTable.select().where(FileTable.id.in_(list(keys))))
    files = {row["id"]: file_of(row) for row in found}
    return {row["version"]: _runtime(row, files) for row in rows}


def _runtime(row: Row, files: dict[int, FileRecord]) -> RuntimeRecord:
    return RuntimeRecord(
        backend=row["backend"],
        model_file=files.get(row["model_file"]),
        module_file=files.get(row["module_file"]),
        entry=row["entry"],
        parameters=json.loads(row["parameters"]),
        revision=row["revision"],
    )


def _family(row: Row, versions: tuple[VersionRecord, ...]) -> FamilyRecord:
    return FamilyRecord(
        canonical_name=row["canonical_name"],
        body=bytes(row["body"]),
        policy=ConstraintPolicy(row["policy"]),
        imported_at=row["imported_at"],
        versions=versions,
    )
