"""Reads the values of a TOML document one by one and collects every mistake with its line and field.

A person who mends a manifest wants all mistakes at once, so a wrong value is noted, a stand-in of the right
type goes on, and `Problems.raise_if_any` ends the reading.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from segint_grpc import errors
from segint_grpc.packaging.toml_lines import Path, find_lines, line_of

T = TypeVar("T")

_SHOWN_MAX = 20
_VALUE_SHOWN_MAX = 60
_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "a text"),
    (int, "a whole number"),
    (float, "a number"),
    (list, "a list"),
    (dict, "a table"),
    (date, "a date"),
)
_REQUIRED: Any = object()


class Problems:
    """The mistakes that were found in one document."""

    def __init__(self, document: str, text: str) -> None:
        """Be without mistakes; `document` is what messages call the file, `text` its content."""
        self._document = document
        self._text = text
        self._found: list[tuple[Path, str]] = []

    def add(self, path: Path, sentence: str) -> None:
        """Note that the value at `path` is wrong."""
        self._found.append((path, sentence))

    def raise_if_any(self) -> None:
        """End the reading where something is wrong.

        Raises:
            InvalidModel: names the line, the field and the mend of each mistake.
        """
        if not self._found:
            return
        lines = find_lines(self._text)
        placed = sorted((line_of(lines, path), show(path), sentence) for path, sentence in self._found)
        told = [_told(*problem) for problem in placed[:_SHOWN_MAX]]
        if len(placed) == 1:
            raise errors.InvalidModel(f"{self._document}, {told[0]}")
        rest = len(placed) - len(told)
        more = [f"and {rest} more"] if rest else []
        raise errors.InvalidModel(
            "\n  ".join((f"{self._document} has {len(placed)} mistakes:", *told, *more))
        )


class Fields:
    """The keys of one table. Each method takes a key out; `finish` notes those that nobody asked for."""

    def __init__(self, table: Mapping[str, Any], path: Path, problems: Problems) -> None:
        """Read `table`, which stands at `path` of the document."""
        self._table = dict(table)
        self._left = set(self._table)
        self._asked: list[str] = []
        self._path = path
        self.problems = problems

    def has(self, key: str) -> bool:
        """Return whether the table has `key`."""
        return key in self._table

    def wrong(self, key: str, sentence: str) -> None:
        """Note that the value of `key` is wrong."""
        self.problems.add((*self._path, key), sentence)

    def wrong_at(self, path: Path, sentence: str) -> None:
        """Note that the value at `path` below this table is wrong."""
        self.problems.add((*self._path, *path), sentence)

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Return a text. Without a default it must be there and not be empty."""
        value: str = self._take(key, str, default, "")
        if default is _REQUIRED and self.has(key) and isinstance(self._table[key], str) and not value.strip():
            self.wrong(key, "must not be empty.")
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value: bool = self._take(key, bool, default, default)
        return value

    def whole(self, key: str, default: int, most: int = 2**32 - 1) -> int:
        """Return a whole number from 0 to `most`."""
        value: int = self._take(key, int, default, default)
        if 0 <= value <= most:
            return value
        self.wrong(key, f"must be a whole number from 0 to {most}, not {value}.")
        return default

    def number(self, key: str, default: float) -> float:
        """Return a number, not below 0."""
        value = float(self._take(key, float, default, default))
        if 0 <= value < float("inf"):
            return value
        self.wrong(key, f"must be a number of at least 0, not {value}.")
        return default

    def numbers(self, key: str, length: int) -> tuple[float, ...] | None:
        """Return a list of exactly `length` numbers, None where there is none."""
        values = self._take(key, list, [], [])
        if not self.has(key):
            return None
        if len(values) == length and all(isinstance(v, int | float) and _is(v, float) for v in values):
            return tuple(map(float, values))
        self.wrong(key, f"must be a list of {length} numbers, not {_shown(self._table[key])}.")
        return None

    def any_number(self, key: str, default: float) -> float:
        """Return a number, which may be negative."""
        value = float(self._take(key, float, default, default))
        if abs(value) < float("inf"):
            return value
        self.wrong(key, f"must be a number, not {value}.")
        return default

    def list_of_numbers(self, key: str, *, whole: bool = False) -> list[float] | list[int]:
        """Return a list of numbers of any length, empty where there is none; `whole` ones from 0 on."""
        values = self._take(key, list, [], [])
        kind, most = (int, 2**32 - 1) if whole else (float, float("inf"))
        least = 0 if whole else -most
        fine = all(_is(value, kind) and least <= value <= most and abs(value) != most for value in values)
        if fine:
            return [kind(value) for value in values]
        what = "whole numbers of at least 0" if whole else "numbers"
        self.wrong(key, f"must be a list of {what}, not {_shown(values)}.")
        return []

    def texts(self, key: str, default: Sequence[str] = _REQUIRED) -> list[str]:
        """Return a list of texts. Without a default there must be at least one."""
        values = self._take(key, list, default, [])
        if not all(isinstance(value, str) for value in values):
            self.wrong(key, f"must be a list of texts, not {_shown(values)}.")
            return []
        if default is _REQUIRED and self.has(key) and isinstance(self._table[key], list) and not values:
            self.wrong(key, "must name at least one.")
        return list(values)

    def one_of(self, key: str, names: Sequence[str], default: str = _REQUIRED) -> str:
        """Return one of `names`."""
        value = self.text(key, default)
        if value in names or not value:
            return value
        self.wrong(key, f"cannot be {value!r}. {suggestion(value, names)}")
        return ""

    def some_of(self, key: str, names: Sequence[str], default: Sequence[str] = _REQUIRED) -> list[str]:
        """Return a list of some of `names`."""
        values = self.texts(key, default)
        for value in values:
            if value not in names:
                self.wrong(key, f"cannot hold {value!r}. {suggestion(value, names)}")
        return [value for value in values if value in names]

    def time(self, key: str) -> datetime | None:
        """Return a date or time in UTC, None where there is none; one without a zone is taken as UTC."""
        found: date | None = self._take(key, date, None, None)
        if found is None:
            return None
        if not isinstance(found, datetime):
            return datetime(found.year, found.month, found.day, tzinfo=UTC)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)

    def value(self, key: str) -> Any:
        """Return whatever the document says, None where it says nothing."""
        return self._take(key, object, None, None)

    def table(self, key: str, read: Callable[[Fields], T], default: T = _REQUIRED) -> T:
        """Return what `read` makes of the table `key`; without a default it must be there."""
        required = default is _REQUIRED
        found = self._take(key, dict, _REQUIRED if required else {}, {})
        if not required and not self.has(key):
            return default
        fields = Fields(found, (*self._path, key), self.problems if self.has(key) else _silent())
        made = read(fields)
        fields.finish()
        return made

    def tables(self, key: str, read: Callable[[Fields], T], *, required: bool = True) -> list[T]:
        """Return what `read` makes of each table in the list `key`."""
        found = self._take(key, list, _REQUIRED if required else [], [])
        if not all(isinstance(item, dict) for item in found):
            self.wrong(key, f"must be tables, written under [[{show((*self._path, key), False)}]].")
            return []
        made = []
        for index, item in enumerate(found):
            fields = Fields(item, (*self._path, key, index), self.problems)
            made.append(read(fields))
            fields.finish()
        return made

    def rest(self) -> dict[str, Any]:
        """Return every key that was not read, with its value."""
        rest = {key: value for key, value in self._table.items() if key in self._left}
        self._left.clear()
        return rest

    def finish(self) -> None:
        """Note every key that is unknown, with the known one that is most like it."""
        for key in sorted(self._left):
            self.wrong(key, f"is unknown. {suggestion(key, self._asked)}")

    def _take(self, key: str, kind: type, default: Any, stand_in: Any) -> Any:
        self._asked.append(key)
        self._left.discard(key)
        if key not in self._table:
            if default is _REQUIRED:
                self.wrong(key, "is missing.")
                return stand_in
            return default
        value = self._table[key]
        if _is(value, kind):
            return value
        quoted = " (in quotes)" if kind is str and isinstance(value, int | float) else ""
        self.wrong(key, f"must be {_kind_name(kind)}{quoted}, not {_shown(value)}.")
        return stand_in


def show(path: Path, with_index: bool = True) -> str:
    """Return `path` as a person would write it: versions[2].id, where lists count from 1."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part + 1}]" if with_index else ""
        else:
            shown += f".{part}" if shown else part
    return shown


def suggestion(value: str, names: Sequence[str]) -> str:
    """Return a sentence with the names that are most like `value`, or with all where they are few."""
    alike = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(value.casefold(), alike, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(alike[name] for name in near)}?"
    return f"It can be: {', '.join(sorted(names))}."


def _told(line: int, field: str, sentence: str) -> str:
    return f"line {line}: {field} {sentence}" if line else f"{field} {sentence}"


def _is(value: Any, kind: type) -> bool:
    """Return whether `value` is of `kind`, where True is no number and a whole number is a number."""
    if isinstance(value, bool):
        return kind in (bool, object)
    return isinstance(value, (int, float) if kind is float else kind)


def _kind_name(kind: type) -> str:
    return next(name for known, name in _KINDS if known is kind)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _VALUE_SHOWN_MAX else f"{text[:_VALUE_SHOWN_MAX]}…"


def _silent() -> Problems:
    """Return a place for what follows from a table that is missing, which has been noted once."""
    return Problems("", "")
