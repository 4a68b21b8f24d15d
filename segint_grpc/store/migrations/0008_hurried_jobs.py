"""Jobs that run in the hurried setting of their version: the share of the usual inference that they make."""

from __future__ import annotations

from peewee import Database, RawQuery


def apply(database: Database) -> None:
    """Make the column; jobs that are here already run as usual."""
    RawQuery("ALTER TABLE job ADD COLUMN infer_share REAL NOT NULL DEFAULT 1").execute(database)
