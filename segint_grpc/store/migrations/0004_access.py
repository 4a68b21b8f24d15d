# ruff: noqa: D101, D106 - store/schema.py explains the tables
"""Tokens and users, and whose a job is. Jobs from before belong to whoever sent no credential."""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    BlobField,
    Database,
    IntegerField,
    Model,
    RawQuery,
    SchemaManager,
    TextField,
)


class Token(Model):
    id = TextField(primary_key=True)
    name = TextField()
    digest = BlobField()
    scope = IntegerField()
    created_at = BigIntegerField()
    expires_at = BigIntegerField(null=True)
    used_at = BigIntegerField(null=True)
    revoked_at = BigIntegerField(null=True)
    jobs_max = IntegerField()
    posts_per_minute = IntegerField()

    class Meta:
        table_name = "token"


class User(Model):
    name = TextField(primary_key=True)
    scope = IntegerField()
    password = TextField()
    created_at = BigIntegerField()
    password_set_at = BigIntegerField()
    disabled_at = BigIntegerField(null=True)

    class Meta:
        table_name = "user_account"


def apply(database: Database) -> None:
    """Make the tables and the column."""
    for table in (Token, User):
        SchemaManager(table, database).create_all(safe=False)
    RawQuery("ALTER TABLE job ADD COLUMN owner TEXT NOT NULL DEFAULT 'anonymous'").execute(database)
