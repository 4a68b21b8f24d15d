"""How long until a job ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segint_grpc.domain.jobs import RUN_STAGES, Stage
from segint_grpc.domain.progress import Position
from segint_grpc.domain.remaining import UNKNOWN, Queue, Remaining, from_here, of_run
from segint_grpc.domain.run_times import Expectation

SECONDS = {Stage.LOAD: 4.0, Stage.PREPARE: 6.0, Stage.INFER: 100.0, Stage.RESTORE: 0.0, Stage.ENCODE: 10.0}
USUAL = Expectation(SECONDS, 0.8, 1.5, runs=9, within=True)


def run_of(seconds: float) -> Remaining:
    return Remaining(seconds / 2, seconds, seconds * 2)


def test_a_run_that_has_not_begun_takes_all_its_stages() -> None:
    assert of_run(USUAL) == Remaining(96.0, 120.0, 180.0)


@pytest.mark.parametrize(
    ("at", "expected_s"),
    [
        (Position(Stage.LOAD, 0, 1), 119),
        (Position(Stage.INFER, 0, 30), 80),
        (Position(Stage.INFER, 0.5, 50, 50), 60),
        (Position(Stage.INFER, 0.5, 60, 50), 50),
        (Position(Stage.ENCODE, 0.9, 9, 9), 1),
    ],
)
def test_what_is_done_is_taken_off(at: Position, expected_s: float) -> None:
    left = from_here(USUAL, at)
    assert left is not None
    assert left.expected_s == pytest.approx(expected_s)


def test_a_runs_own_pace_counts_the_more_the_further_it_is() -> None:
    slow = [from_here(USUAL, Position(Stage.INFER, share, 200 * share, 200 * share)) for share in (0.1, 0.9)]
    early, late = (left.expected_s for left in slow if left)
    assert early == pytest.approx(0.9 * 110 + 10)
    assert late == pytest.approx(0.1 * 190 + 10)


def test_a_stage_that_is_overdue_is_not_over_yet() -> None:
    left = from_here(USUAL, Position(Stage.INFER, 0, 400))
    assert left is not None
    assert 10 + 1 < left.expected_s < left.high_s
    assert left.low_s == pytest.approx(8.0)


def test_the_first_run_of_a_version_is_judged_by_its_own_pace_once_it_has_one() -> None:
    assert from_here(None, Position(Stage.LOAD, 0, 5)) is None
    assert from_here(None, Position(Stage.INFER, 0.01, 5, 5)) is None
    left = from_here(None, Position(Stage.INFER, 0.5, 40, 40))
    assert left is not None
    assert 40 <= left.expected_s <= 50
    assert left.low_s < left.expected_s < left.high_s


def behind(slots: int, running: list[Remaining], waiting: list[Remaining]) -> list[Remaining]:
    """When each of those that wait ends, in the order of their turns."""
    queue = Queue(slots, running)
    return [queue.add(run) for run in waiting]


def test_jobs_wait_for_those_before_them_and_use_every_slot() -> None:
    ends = behind(2, [run_of(10), run_of(30)], [run_of(5), run_of(5), run_of(100)])
    assert [end.expected_s for end in ends] == [15, 20, 120]
    assert [end.low_s for end in ends] == [7.5, 10, 60]


def test_a_slot_that_is_free_takes_the_next_at_once() -> None:
    assert [end.expected_s for end in behind(3, [run_of(10)], [run_of(7)])] == [7]


def test_what_depends_on_something_unknown_is_unknown_and_the_rest_is_not() -> None:
    ends = behind(2, [UNKNOWN, run_of(10)], [run_of(5), UNKNOWN, run_of(5)])
    assert ends == [Remaining(7.5, 15, 30), UNKNOWN, UNKNOWN]


def test_without_slots_nothing_is_known() -> None:
    assert behind(0, [], [run_of(5)]) == [UNKNOWN]
    assert Queue(0, []).turn == UNKNOWN


def test_the_next_one_has_its_turn_where_the_first_slot_is_free() -> None:
    queue = Queue(2, [run_of(10), run_of(30)])
    assert queue.turn == run_of(10)
    queue.add(run_of(50))
    assert queue.turn == run_of(30)


spans = st.floats(0, 1e6)
remainings = st.builds(lambda *parts: Remaining(*sorted(parts)), spans, spans, spans)
positions = st.builds(
    lambda stage, share, one, other: Position(stage, share, max(one, other), min(one, other)),
    st.sampled_from(RUN_STAGES),
    st.floats(0, 1),
    spans,
    spans,
)


@given(positions, st.one_of(st.none(), st.just(USUAL)))
def test_what_remains_is_in_order_wherever_the_run_is(at: Position, expected: Expectation | None) -> None:
    left = from_here(expected, at)
    if left is not None:
        assert 0 <= left.low_s <= left.expected_s <= left.high_s < math.inf


@given(st.integers(1, 4), st.lists(remainings, max_size=4), st.lists(remainings, max_size=9))
def test_nobody_ends_before_his_own_run_could(
    slots: int, running: list[Remaining], waiting: list[Remaining]
) -> None:
    ends = behind(slots, running, waiting)
    for run, end in zip(waiting, ends, strict=True):
        assert end.low_s >= run.low_s
        assert end.low_s <= end.expected_s <= end.high_s
