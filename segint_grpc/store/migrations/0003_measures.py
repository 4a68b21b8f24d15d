# ruff: noqa: D101, D106 - store/schema.py explains the tables
"""What runs measure, voxels and volumes; and indexes by which many jobs are listed and counted."""

from __future__ import annotations

from peewee import (
    BigAutoField,
    Database,
    DoubleField,
    ForeignKeyField,
    Model,
    RawQuery,
    SchemaManager,
    TextField,
)


class Run(Model):
    id = BigAutoField()

    class Meta:
        table_name = "run"


class Volume(Model):
    id = BigAutoField()
    run = ForeignKeyField(Run, on_delete="CASCADE")
    structure_id = TextField()
    volume_ml = DoubleField()

    class Meta:
        table_name = "volume"


STATEMENTS = (
    "ALTER TABLE run ADD COLUMN voxels INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX job_model_id ON job (model_id)",
    "CREATE INDEX job_submitted_at_id ON job (submitted_at, id)",
)


def apply(database: Database) -> None:
    """Make the table, the column and the indexes."""
    SchemaManager(Volume, database).create_all(safe=False)
    for statement in STATEMENTS:
        RawQuery(statement).execute(database)
