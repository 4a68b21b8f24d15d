"""Statements whose SQL is built once, for what every job asks: building it takes longer than running it.

They are written as any other query, with a `slot` wherever a value comes with each use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import peewee

from segint_grpc.store.moments import MomentField

Row = dict[str, Any]
"""A row by column name; peewee does not know the columns' types, the callers that read them do."""


@dataclass(frozen=True)
class _Slot:
    name: str
    db_value: Callable[[Any], Any]


def slot(field: Any, name: str = "") -> Any:
    """Return what stands in a query for a value of `field`, which is given by `name` or the field's own."""
    return peewee.Value(_Slot(name or field.name, field.db_value), converter=False)


class Prepared:
    """A peewee query of one table with slots in it."""

    def __init__(self, query: Any) -> None:
        """Keep `query`; its SQL is built at its first use."""
        self._query = query
        self._built: tuple[str, tuple[Any, ...]] | None = None
        self._names: dict[str, str] = {}
        self._read: dict[str, Callable[[Any], Any]] = {}
        for column, field in query.model._meta.columns.items():
            self._names[column] = field.name
            if isinstance(field, MomentField | peewee.BooleanField):
                self._read[field.name] = field.python_value

    def execute(self, database: Any, values: Mapping[str, Any]) -> Any:
        """Run the statement on peewee's `database` with a value for each slot, by name; return the cursor."""
        if self._built is None:
            sql, parameters = database.get_sql_context().parse(self._query)
            self._built = (sql, tuple(parameters))
        sql, parameters = self._built
        return database.execute_sql(sql, [_filled(parameter, values) for parameter in parameters])

    def rows(self, database: Any, values: Mapping[str, Any]) -> list[Row]:
        """Run the statement and return its rows, as peewee would: fields by name, in Python's types."""
        cursor = self.execute(database, values)
        names = [self._names.get(column[0], column[0]) for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for name in self._read.keys() & set(names):
            for row in rows:
                row[name] = self._read[name](row[name])
        return rows


def _filled(parameter: Any, values: Mapping[str, Any]) -> Any:
    return parameter.db_value(values[parameter.name]) if isinstance(parameter, _Slot) else parameter
