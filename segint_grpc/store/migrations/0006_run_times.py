"""How long the stages of runs take, and for how many voxels jobs wait."""

from __future__ import annotations

from peewee import Database, RawQuery

STATEMENTS = (
    "ALTER TABLE job ADD COLUMN voxels INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN runtime_revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN cold INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN load_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN prepare_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN infer_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN restore_s REAL NOT NULL DEFAULT 0",
    "ALTER TABLE run ADD COLUMN encode_s REAL NOT NULL DEFAULT 0",
)


def apply(database: Database) -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        RawQuery(statement).execute(database)
