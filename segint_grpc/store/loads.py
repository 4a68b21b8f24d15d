"""The last load of each version: how long it took, and what was held then."""

from __future__ import annotations

from datetime import datetime

from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.store.database import Transaction
from segint_grpc.store.schema import LoadTable, VersionTable

_MEASURED = ("seconds", "memory_bytes", "gpu_memory_bytes", "device")


def keep_load(transaction: Transaction, version_id: str, load: ModelLoad | None, at: datetime) -> None:
    """Keep `load` in place of the version's last one; without effect where it is None or the version gone."""
    here = VersionTable.select().where(VersionTable.version_id == version_id)
    if load is None or not transaction.count(here):
        return
    transaction.change(LoadTable.delete().where(LoadTable.version == version_id))
    measured = {name: getattr(load, name) for name in _MEASURED}
    transaction.change(LoadTable.insert(version=version_id, loaded_at=at, **measured))


def loads(transaction: Transaction, version_id: str = "") -> dict[str, ModelLoad]:
    """Return the last load of a version, or of every one where it is empty, by version id."""
    query = LoadTable.select()
    rows = transaction.rows(query.where(LoadTable.version == version_id) if version_id else query)
    names = (*_MEASURED, "loaded_at")
    return {row["version"]: ModelLoad(**{name: row[name] for name in names}) for row in rows}
