"""Rows of the model tables as the domain's records."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from peewee import fn

from segint_grpc import errors
from segint_grpc.domain.models import (
    CheckRecord,
    ConstraintPolicy,
    FamilyRecord,
    FileRecord,
    RuntimeRecord,
    VersionRecord,
)
from segint_grpc.domain.versions import VersionState
from segint_grpc.store.database import Row, Transaction
from segint_grpc.store.schema import CheckTable, FamilyTable, FileTable, RuntimeTable, VersionTable

FILE_COLUMNS = ("model_file", "module_file", "check_scan")
"""The columns of RuntimeTable that name files."""


def load_families(transaction: Transaction, *conditions: Any) -> list[FamilyRecord]:
    """Return the families that meet `conditions` on FamilyTable, oldest first, with their versions."""
    families = transaction.rows(FamilyTable.select().where(True, *conditions).order_by(FamilyTable.id))
    keys = [row["id"] for row in families]
    query = VersionTable.select().where(VersionTable.family.in_(keys)).order_by(VersionTable.position)
    versions = transaction.rows(query)
    version_ids = [row["version_id"] for row in versions]
    runtimes = _load_runtimes(transaction, version_ids)
    checks = _load_checks(transaction, version_ids)
    by_family: dict[int, list[VersionRecord]] = defaultdict(list)
    for row in versions:
        version = _version(row, runtimes.get(row["version_id"]), checks.get(row["version_id"]))
        by_family[row["family"]].append(version)
    return [_family(row, tuple(by_family[row["id"]])) for row in families]


def find_version(transaction: Transaction, version_id: str) -> tuple[FamilyRecord, VersionRecord]:
    """Return a version with its family. Raises UnknownModel."""
    owner = VersionTable.select(VersionTable.family).where(VersionTable.version_id == version_id)
    for family in load_families(transaction, FamilyTable.id.in_(owner)):
        for version in family.versions:
            if version.version_id == version_id:
                return family, version
    rows = transaction.rows(VersionTable.select(VersionTable.version_id).order_by(VersionTable.version_id))
    here = [row["version_id"] for row in rows]
    known = ", ".join(map(repr, here)) or "none"
    raise errors.UnknownModel(f"No model {version_id!r} is here; there is {known}.", version_id, here)


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
        raise no_file(file.sha256, file.name)
    return int(row["id"])


def unused_files(transaction: Transaction) -> list[Row]:
    """Return the whole rows of the files that no runtime uses."""
    users = RuntimeTable.select().where(
        (RuntimeTable.model_file == FileTable.id)
        | (RuntimeTable.module_file == FileTable.id)
        | (RuntimeTable.check_scan == FileTable.id)
    )
    return transaction.rows(FileTable.select().where(~fn.EXISTS(users)))


def _load_runtimes(transaction: Transaction, version_ids: list[str]) -> dict[str, RuntimeRecord]:
    rows = transaction.rows(RuntimeTable.select().where(RuntimeTable.version.in_(version_ids)))
    keys = {row[column] for row in rows for column in FILE_COLUMNS if row[column] is not None}
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
        check_scan=files.get(row["check_scan"]),
        handling=bytes(row["handling"]),
        interpreter=row["interpreter"],
    )


def _load_checks(transaction: Transaction, version_ids: list[str]) -> dict[str, CheckRecord]:
    rows = transaction.rows(CheckTable.select().where(CheckTable.version.in_(version_ids)))
    return {row["version"]: _check(row) for row in rows}


def _check(row: Row) -> CheckRecord:
    return CheckRecord(row["passed"], row["runtime_revision"], row["checked_at"], bytes(row["body"]))


def _version(row: Row, runtime: RuntimeRecord | None, check: CheckRecord | None) -> VersionRecord:
    return VersionRecord(
        version_id=row["version_id"],
        position=row["position"],
        runtime=runtime,
        state=VersionState(row["state"]),
        forced=row["forced"],
        check=check,
    )


def _family(row: Row, versions: tuple[VersionRecord, ...]) -> FamilyRecord:
    return FamilyRecord(
        canonical_name=row["canonical_name"],
        body=bytes(row["body"]),
        policy=ConstraintPolicy(row["policy"]),
        imported_at=row["imported_at"],
        versions=versions,
        revision=row["revision"],
        default_version=row["default_version"],
        former_default=row["former_default"],
    )


def no_file(sha256: str, name: str) -> errors.NotFound:
    """Return the error that no file has that content or name, either of which may be empty."""
    said = (f" {name!r}" if name else "") + (f" with SHA-256 {sha256}" if sha256 else "")
    return errors.NotFound(f"No file{said} is here; upload it, or take it from the inbox.", name or sha256)
