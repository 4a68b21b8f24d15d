from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segint_grpc.packaging.manifest_text import toml_value
from segint_grpc.packaging.toml_lines import find_lines, line_of

TEXT = '''\
# [not.a.table]
title = "a [b] = c"

[family]
name.first = "x"
many = [
  1,

  2,  # ]
]
words = """
[[versions]]
id = "no"
"""
inline = { a = 1, b = [ { c = 2 } ] }

[[versions]]
id = 1
  [[versions.structures]]
  id = 2
  [[versions.structures]]
  id = 3
  [versions.runtime.parameters]
  deep = true
[[versions]]
[versions."odd name"]
'x y' = 1'''


def test_every_key_is_found_in_the_line_of_its_statement() -> None:
    lines = find_lines(TEXT)
    assert lines["title",] == 2
    assert lines["family",] == 4
    assert lines["family", "name", "first"] == 5
    assert lines["family", "many", 1] == 6
    assert lines["family", "words"] == 11
    assert lines["family", "inline", "b", 0, "c"] == 15
    assert lines["versions", 0] == 17
    assert lines["versions", 0, "id"] == 18
    assert lines["versions", 0, "structures", 1] == 21
    assert lines["versions", 0, "structures", 1, "id"] == 22
    assert lines["versions", 0, "runtime", "parameters", "deep"] == 24
    assert lines["versions", 1] == 25
    assert lines["versions", 1, "odd name", "x y"] == 27


def test_a_missing_key_is_placed_at_the_table_that_lacks_it() -> None:
    lines = find_lines(TEXT)
    assert line_of(lines, ("versions", 0, "structures", 1, "color")) == 21
    assert line_of(lines, ("versions", 1, "id")) == 25
    assert line_of(lines, ("nothing", "there")) == 0


def test_an_endless_statement_is_given_up() -> None:
    lines = find_lines("a = 1\nb = [\n" + "1,\n" * 600 + "]\nc = 1\n")
    assert list(lines) == [("a",)]


KEYS = st.text(min_size=1, max_size=5)
LEAVES = st.one_of(
    st.integers(-(2**53), 2**53), st.booleans(), st.text(), st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_what_is_written_as_toml_is_read_back_and_found(table: dict[str, Any]) -> None:
    text = "".join(f"{toml_value(key)} = {toml_value(value)}\n" for key, value in table.items())
    assert tomllib.loads(text) == table
    lines = find_lines(text)
    assert [lines[key,] for key in table] == list(range(1, len(table) + 1))
