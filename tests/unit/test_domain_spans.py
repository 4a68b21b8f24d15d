"""Lengths of time as people say them."""

from __future__ import annotations

import pytest

from segint_grpc.domain.spans import about, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 s"),
        (3.4, "3 s"),
        (42, "40 s"),
        (89, "90 s"),
        (100, "2 min"),
        (1185, "20 min"),
        (5390, "90 min"),
        (7800, "2 h 10 min"),
        (7200, "2 h"),
    ],
)
def test_a_span_is_as_exact_as_a_person_wants_it(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((35, 40, 50), "about 40 s"),
        ((1, 3, 9), "about 3 s"),
        ((120, 180, 320), "2 to 5 min"),
        ((40, 100, 300), "40 s to 5 min"),
        ((0, 20, 40), "1 to 40 s"),
        ((3000, 7000, 12000), "50 min to 3 h 20 min"),
    ],
)
def test_what_may_differ_much_is_told_with_both_ends(parts: tuple[float, float, float], words: str) -> None:
    assert about(*parts) == words
