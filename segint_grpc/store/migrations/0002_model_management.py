# ruff: noqa: D101, D106 - store/schema.py explains the tables
"""States of versions, checks, approved code, defaults, revisions of families, and who did what when.

What was offered before stays offered: its versions become active and the code of its files approved.
"""

from __future__ import annotations

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Database,
    ForeignKeyField,
    IntegerField,
    Model,
    RawQuery,
    SchemaManager,
    TextField,
)


class Version(Model):
    version_id = TextField(primary_key=True)

    class Meta:
        table_name = "version"


class VersionCheck(Model):
    version = ForeignKeyField(Version, primary_key=True, on_delete="CASCADE")
    runtime_revision = IntegerField()
    passed = BooleanField()
    checked_at = BigIntegerField()
    body = BlobField()

    class Meta:
        table_name = "version_check"


class Approval(Model):
    sha256 = TextField(primary_key=True)
    approved_at = BigIntegerField()

    class Meta:
        table_name = "approval"


class ModelEvent(Model):
    id = BigAutoField(constraints=[SQL("AUTOINCREMENT")])
    at = BigIntegerField()
    kind = TextField()
    canonical_name = TextField(index=True)
    version_id = TextField()
    text = TextField()
    forced = BooleanField()

    class Meta:
        table_name = "model_event"


STATEMENTS = (
    "ALTER TABLE family ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE family ADD COLUMN default_version TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE family ADD COLUMN former_default TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE version ADD COLUMN state TEXT NOT NULL DEFAULT 'draft'",
    "ALTER TABLE version ADD COLUMN forced INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE runtime ADD COLUMN check_scan_id INTEGER REFERENCES file (id)",
    "CREATE INDEX runtime_check_scan_id ON runtime (check_scan_id)",
    """INSERT INTO model_event (at, kind, canonical_name, version_id, text, forced)
       SELECT imported_at, 'imported', canonical_name, '', 'before events were recorded', 0
       FROM family ORDER BY id""",
    """UPDATE family SET revision =
       (SELECT max(id) FROM model_event WHERE model_event.canonical_name = family.canonical_name)""",
    """UPDATE version SET state = 'active', forced = 1
       WHERE version_id IN (SELECT version_id FROM runtime)""",
    """INSERT INTO approval (sha256, approved_at)
       SELECT sha256, max(added_at) FROM file
       WHERE id IN (SELECT model_file_id FROM runtime UNION SELECT module_file_id FROM runtime)
       GROUP BY sha256""",
)


def apply(database: Database) -> None:
    """Make the new tables, and fill the new columns so that nothing that was offered disappears."""
    for table in (VersionCheck, Approval, ModelEvent):
        SchemaManager(table, database).create_all(safe=False)
    for statement in STATEMENTS:
        RawQuery(statement).execute(database)
