"""Which Python runs a version, by its name in the setting `interpreters`."""

from __future__ import annotations

from peewee import Database, RawQuery


def apply(database: Database) -> None:
    """Make the column; versions that are here already run in the server's own environment."""
    RawQuery("ALTER TABLE runtime ADD COLUMN interpreter TEXT NOT NULL DEFAULT ''").execute(database)
