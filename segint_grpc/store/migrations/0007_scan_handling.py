"""How versions want their scans: a serialized segint.v1.ScanHandling beside what runs them."""

from __future__ import annotations

from peewee import Database, RawQuery


def apply(database: Database) -> None:
    """Make the column; versions that are here already get their volumes as they were sent."""
    RawQuery("ALTER TABLE runtime ADD COLUMN handling BLOB NOT NULL DEFAULT x''").execute(database)
