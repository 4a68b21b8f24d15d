"""The tables of the audit log. Triggers, made by the migration, refuse to change or remove their rows."""

from __future__ import annotations

from peewee import BigIntegerField, IntegerField, Model, TextField

from segint_grpc.store.moments import MomentField


class AuditTable(Model):
    """The records, as domain/audit.py has them; the numbers have no gaps."""

    seq = BigIntegerField(primary_key=True)
    at = MomentField(index=True)
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
        """Peewee's settings of the table."""

        table_name = "audit"


class AuditPlaceTable(Model):
    """Records to remember, by name: `anchor`, the last that was pruned; `forwarded`, the last sent on."""

    name = TextField(primary_key=True)
    seq = IntegerField()
    hash = TextField()

    class Meta:
        """Peewee's settings of the table."""

        table_name = "audit_place"
