"""Times as columns hold them: whole microseconds, which sort, compare and add alike in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from peewee import BigIntegerField

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class MomentField(BigIntegerField):
    """An aware datetime, held as microseconds since 1970-01-01 UTC; a naive one raises TypeError."""

    def db_value(self, value: datetime | None) -> int | None:
        """Return the microseconds of `value`."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def python_value(self, value: int | None) -> datetime | None:
        """Return the moment, in UTC, of `value` microseconds."""
        return None if value is None else EPOCH + value * MICROSECOND
