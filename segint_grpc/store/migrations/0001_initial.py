# ruff: noqa: D101, D106 - store/schema.py explains the tables
"""The first schema: jobs with their runs, events and opinions; families with versions, runtimes, files.

Times are microseconds since 1970-01-01 UTC; store/schema.py says what the columns mean.
"""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    Database,
    ForeignKeyField,
    IntegerField,
    Model,
    SchemaManager,
    TextField,
)


class Migration(Model):
    number = IntegerField(primary_key=True)
    name = TextField()
    applied_at = BigIntegerField()

    class Meta:
        table_name = "migration"


class Job(Model):
    id = TextField(primary_key=True)
    model_id = TextField()
    state = TextField(index=True)
    percent = IntegerField()
    stage = TextField()
    error_code = TextField()
    error_text = TextField()
    caller = TextField()
    client_version = TextField()
    request_id = TextField()
    body_sha256 = TextField()
    body_bytes = BigIntegerField()
    body_kept = BooleanField()
    result_sha256 = TextField()
    result_bytes = BigIntegerField(null=True)
    result_kept = BooleanField()
    submitted_at = BigIntegerField()
    deadline_at = BigIntegerField()
    started_at = BigIntegerField(null=True)
    finished_at = BigIntegerField(null=True, index=True)
    attempt = IntegerField()
    token = TextField()
    lease_until = BigIntegerField(null=True)

    class Meta:
        table_name = "job"
        constraints = (Check("percent BETWEEN 0 AND 100"),)


class Run(Model):
    id = BigAutoField()
    job = ForeignKeyField(Job, on_delete="CASCADE")
    attempt = IntegerField()
    slot = TextField()
    started_at = BigIntegerField()
    ended_at = BigIntegerField(null=True)
    outcome = TextField(null=True)
    reason = TextField()
    peak_memory_bytes = BigIntegerField()

    class Meta:
        table_name = "run"
        indexes = ((("job", "attempt"), True),)


class Event(Model):
    id = BigAutoField()
    job = ForeignKeyField(Job, on_delete="CASCADE")
    at = BigIntegerField()
    kind = TextField()
    text = TextField()

    class Meta:
        table_name = "event"


class Family(Model):
    id = AutoField()
    canonical_name = TextField(unique=True)
    body = BlobField()
    policy = TextField()
    imported_at = BigIntegerField()

    class Meta:
        table_name = "family"


class Version(Model):
    version_id = TextField(primary_key=True)
    family = ForeignKeyField(Family, on_delete="CASCADE")
    position = IntegerField()

    class Meta:
        table_name = "version"


class File(Model):
    id = AutoField()
    sha256 = TextField()
    name = TextField()
    size_bytes = BigIntegerField()
    added_at = BigIntegerField()

    class Meta:
        table_name = "file"
        indexes = ((("sha256", "name"), True),)


class Runtime(Model):
    revision = AutoField(constraints=[SQL("AUTOINCREMENT")])
    version = ForeignKeyField(Version, on_delete="CASCADE", unique=True)
    backend = TextField()
    model_file = ForeignKeyField(File, null=True)
    module_file = ForeignKeyField(File, null=True)
    entry = TextField()
    parameters = TextField()

    class Meta:
        table_name = "runtime"


class Opinion(Model):
    id = BigAutoField()
    kind = TextField()
    job = ForeignKeyField(Job, null=True, on_delete="CASCADE")
    segmentation_id = TextField()
    body = BlobField()
    received_at = BigIntegerField()

    class Meta:
        table_name = "opinion"


def apply(database: Database) -> None:
    """Make the tables and their indexes."""
    for table in (Migration, Job, Run, Event, Family, Version, File, Runtime, Opinion):
        SchemaManager(table, database).create_all(safe=False)
