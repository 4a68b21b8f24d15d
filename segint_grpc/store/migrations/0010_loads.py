# ruff: noqa: D101, D106 - store/schema.py explains the tables
"""What each version's last load took."""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    Database,
    DoubleField,
    ForeignKeyField,
    Model,
    SchemaManager,
    TextField,
)


class Version(Model):
    version_id = TextField(primary_key=True)

    class Meta:
        table_name = "version"


class Load(Model):
    version = ForeignKeyField(Version, primary_key=True, on_delete="CASCADE")
    loaded_at = BigIntegerField()
    seconds = DoubleField()
    memory_bytes = BigIntegerField()
    gpu_memory_bytes = BigIntegerField()
    device = TextField()

    class Meta:
        table_name = "version_load"


def apply(database: Database) -> None:
    """Make the table; what was loaded before is not known."""
    SchemaManager(Load, database).create_all(safe=False)
