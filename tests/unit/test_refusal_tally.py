from __future__ import annotations

import pytest

from segint_grpc.api import refusals
from segint_grpc.api.refusals import RefusalTally


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_of_one_kind_are_recorded_in_a_minute_and_the_rest_is_told_later(clock: Clock) -> None:
    tally = RefusalTally(clock)
    assert [tally.count("a", 2) for _ in range(5)] == [0, 0, None, None, None]
    assert tally.count("b", 2) == 0
    clock.now_s += 60
    assert [tally.count("a", 2) for _ in range(3)] == [3, 0, None]


def test_no_more_than_so_many_kinds_are_remembered(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "REMEMBERED_MAX", 2)
    tally = RefusalTally(clock)
    assert [tally.count(kind, 1) for kind in "abcb"] == [0, 0, 0, None]
    assert tally.count("a", 1) == 0
