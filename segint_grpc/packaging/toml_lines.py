"""Which line of a TOML document a value stands in; tomllib reads values and forgets where they were.

A document is a sequence of statements (TOML 1.0: a table header, or a key with its value), and each
statement is a document itself. So this splits the text into the shortest pieces that tomllib reads alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
"""The keys and list indices that lead to a value, for instance ("versions", 0, "id")."""

_STATEMENT_LINES_MAX = 500
"""A longer statement is not searched for its end: the time for that grows with the square of its length."""


def find_lines(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table and key in `text`, a document that tomllib reads.

    A value inside a list or an inline table has the line where its statement begins.
    """
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, statement in _statements(text):
        found = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _enter(lines, found, statement.lstrip().startswith("[["))
            lines.setdefault(table, number)
        else:
            _note(lines, table, found, number)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int:
    """Return the line of the value at `path`, or of the innermost table around it; 0 where there is none."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def _statements(text: str) -> Iterator[tuple[int, str]]:
    # TOML ends a line with \n or \r\n alone; str.splitlines knows many more ends.
    rows = text.replace("\r\n", "\n").split("\n")
    start = 0
    while start < len(rows):
        end = start + 1
        while (found := _parsed("\n".join(rows[start:end]))) is None and end < len(rows):
            if end - start == _STATEMENT_LINES_MAX:
                return
            end += 1
        if found:
            yield start + 1, "\n".join(rows[start:end])
        start = end


def _parsed(statement: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return None


def _enter(lines: Mapping[Path, int], header: Mapping[str, Any], is_list: bool) -> Path:
    """Return the path of the table that a header opens, in the last element of every list on the way."""
    names = _header_names(header)
    path: Path = ()
    for depth, name in enumerate(names):
        path = (*path, name)
        elements = _count(lines, path)
        if depth == len(names) - 1 and is_list:
            return (*path, elements)
        path = (*path, elements - 1) if elements else path
    return path


def _header_names(header: Mapping[str, Any]) -> list[str]:
    names = []
    inner: Any = header
    while isinstance(inner, Mapping) and inner:
        ((name, inner),) = inner.items()
        names.append(name)
    return names


def _count(lines: Mapping[Path, int], path: Path) -> int:
    return sum(1 for known in lines if len(known) == len(path) + 1 and known[:-1] == path and _index(known))


def _index(path: Path) -> bool:
    return isinstance(path[-1], int)


def _note(lines: dict[Path, int], path: Path, value: Any, number: int) -> None:
    """Note `number` for everything inside `value`."""
    inner = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, deeper in inner:
        lines.setdefault((*path, key), number)
        if isinstance(deeper, Mapping | list):
            _note(lines, (*path, key), deeper, number)
