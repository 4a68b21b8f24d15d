"""What earlier runs say of the next: by size, cold and warm apart, with an honest spread."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segint_grpc.domain.jobs import RUN_STAGES, Stage, StageTimes
from segint_grpc.domain.run_times import ENOUGH_HIGH, ENOUGH_LOW, FEW_HIGH, FEW_LOW, RunModel, RunTimes

MILLION = 1_000_000


def a_run(voxels: int, infer_s: float, load_s: float = 0.001, cold: bool = False) -> RunTimes:
    seconds = {
        Stage.LOAD: load_s,
        Stage.PREPARE: infer_s / 10,
        Stage.INFER: infer_s,
        Stage.ENCODE: infer_s / 5,
    }
    return RunTimes(voxels, StageTimes(seconds, cold, 1))


def test_stages_grow_with_the_scan_and_loading_does_not() -> None:
    model = RunModel([a_run(10 * MILLION, 10.0, load_s=4.0, cold=True)])
    expected = model.expect(20 * MILLION, cold=True).seconds
    assert expected[Stage.LOAD] == pytest.approx(4.0)
    assert expected[Stage.PREPARE] == pytest.approx(2.0)
    assert expected[Stage.INFER] == pytest.approx(20.0)
    assert expected[Stage.ENCODE] == pytest.approx(4.0)


def test_a_model_that_is_loaded_is_not_expected_to_be_loaded_again() -> None:
    runs = [a_run(MILLION, 1.0, load_s=30.0, cold=True), *[a_run(MILLION, 1.0) for _ in range(2)]]
    model = RunModel(runs)
    assert model.expect(MILLION, cold=True).seconds[Stage.LOAD] == 30.0
    assert model.expect(MILLION, cold=False).seconds[Stage.LOAD] == 0.001


def test_enough_sizes_show_a_part_that_does_not_grow() -> None:
    runs = [a_run(size * MILLION, 5.0 + size) for size in (10, 20, 40)]
    expected = RunModel(runs).expect(100 * MILLION, cold=False)
    assert expected.seconds[Stage.INFER] == pytest.approx(105.0)
    assert expected.within


def test_one_size_says_nothing_certain_of_a_larger_one() -> None:
    model = RunModel([a_run(10 * MILLION, 10.0) for _ in range(9)])
    assert model.expect(10 * MILLION, cold=False).within
    assert not model.expect(11 * MILLION, cold=False).within


def test_a_scan_of_unknown_size_is_taken_for_a_usual_one() -> None:
    model = RunModel([a_run(size * MILLION, float(size)) for size in (10, 10, 90)])
    assert model.expect(0, cold=False).seconds[Stage.INFER] == pytest.approx(10.0)


def test_few_runs_leave_a_wide_spread_and_many_show_it() -> None:
    few = RunModel([a_run(MILLION, 10.0)]).expect(MILLION, cold=False)
    many = RunModel([a_run(MILLION, 10.0 + number / 10) for number in range(-10, 11)]).expect(MILLION, False)
    assert (few.low, few.high) == (FEW_LOW, FEW_HIGH)
    assert (many.low, many.high) == (ENOUGH_LOW, ENOUGH_HIGH)


def test_the_spread_is_that_of_the_runs() -> None:
    runs = [a_run(MILLION, 10.0 * (2 if number % 3 == 0 else 1)) for number in range(12)]
    expected = RunModel(runs).expect(MILLION, cold=False)
    assert expected.seconds[Stage.INFER] == pytest.approx(10.0)
    assert (expected.low, expected.high) == (ENOUGH_LOW, pytest.approx(2.0))


def test_a_stray_run_moves_next_to_nothing() -> None:
    runs = [a_run(size * MILLION, float(size)) for size in (10, 12, 15, 20, 25, 30, 40)]
    with_stray = RunModel([*runs, a_run(22 * MILLION, 500.0)])
    assert with_stray.expect(50 * MILLION, cold=False).seconds[Stage.INFER] == pytest.approx(50.0, rel=0.15)


runs = st.builds(a_run, st.integers(1, 10**9), st.floats(0, 1e5), st.floats(0, 1e3), st.booleans())


@example([a_run(1, 0.0), a_run(2, 1.0), a_run(3, 2.3e-311)], 1, False)
@given(st.lists(runs, min_size=1, max_size=30), st.integers(0, 10**9), st.booleans())
def test_whatever_the_history_an_expectation_is_in_order(
    history: list[RunTimes], voxels: int, cold: bool
) -> None:
    expected = RunModel(history).expect(voxels, cold)
    assert all(expected.seconds[stage] >= 0 for stage in RUN_STAGES)
    assert 0 <= expected.low <= 1 <= expected.high
    larger = RunModel(history).expect(2 * voxels, cold) if voxels else expected
    assert larger.total_s >= expected.total_s - 1e-6 * expected.total_s
