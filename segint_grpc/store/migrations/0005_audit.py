# ruff: noqa: D101, D106 - store/audit_schema.py explains the tables
"""The audit log, what keeps its rows from being changed, and how far it has been pruned and forwarded."""

from __future__ import annotations

from peewee import BigIntegerField, Database, IntegerField, Model, RawQuery, SchemaManager, TextField


class Audit(Model):
    seq = BigIntegerField(primary_key=True)
    at = BigIntegerField(index=True)
    principal = TextField()
    address = TextField()
    door = TextField()
    act = TextField()
    kind = TextField()
    object_id = TextField(index=True)
    outcome = TextField()
    request_id = TextField()
    details = TextField()
    previous = TextField()
    hash = TextField()

    class Meta:
        table_name = "audit"


class AuditPlace(Model):
    name = TextField(primary_key=True)
    seq = IntegerField()
    hash = TextField()

    class Meta:
        table_name = "audit_place"


STATEMENTS = (
    f"INSERT INTO audit_place VALUES ('anchor', 0, '{'0' * 64}')",
    """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    WHEN OLD.seq > (SELECT seq FROM audit_place WHERE name = 'anchor')
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    # INSERT OR REPLACE deletes without asking a DELETE trigger.
    """CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
    WHEN NEW.seq <= COALESCE((SELECT MAX(seq) FROM audit), 0)
        OR NEW.seq <= (SELECT seq FROM audit_place WHERE name = 'anchor')
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_anchor_stays BEFORE DELETE ON audit_place WHEN OLD.name = 'anchor'
    BEGIN SELECT RAISE(ABORT, 'the anchor of the audit log stays'); END""",
    """CREATE TRIGGER audit_anchor_moves_on BEFORE UPDATE ON audit_place
    WHEN OLD.name = 'anchor' AND NOT EXISTS (
        SELECT 1 FROM audit WHERE seq = NEW.seq AND hash = NEW.hash AND NEW.name = 'anchor'
    )
    BEGIN SELECT RAISE(ABORT, 'the anchor of the audit log is a record of it'); END""",
)


def apply(database: Database) -> None:
    """Make the tables and the triggers."""
    for table in (Audit, AuditPlace):
        SchemaManager(table, database).create_all(safe=False)
    for statement in STATEMENTS:
        RawQuery(statement).execute(database)
