"""Percent from stages: never falling, never 100, whatever the stages weigh and the model says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segint_grpc.domain.jobs import RUN_STAGES, Stage
from segint_grpc.domain.progress import PERCENT_MAX, PRIOR, Position, clamped, percent_of

weights = st.dictionaries(st.sampled_from(RUN_STAGES), st.floats(0, 1e9))
shares = st.floats(0, 1)
places = st.tuples(st.sampled_from(RUN_STAGES), shares)


@given(weights, places, places)
def test_percent_never_falls_as_a_run_goes_on(
    weighed: dict[Stage, float], one: tuple[Stage, float], other: tuple[Stage, float]
) -> None:
    first, later = sorted((one, other), key=lambda place: (RUN_STAGES.index(place[0]), place[1]))
    assert 0 <= percent_of(*first, weighed) <= percent_of(*later, weighed) <= PERCENT_MAX


@given(weights, st.floats())
def test_a_model_may_say_anything_of_its_share(weighed: dict[Stage, float], share: float) -> None:
    assert 0 <= clamped(share) <= 1
    assert 0 <= percent_of(Stage.INFER, share, weighed) <= PERCENT_MAX


@given(weights.filter(lambda weighed: sum(weighed.values()) > 0))
def test_the_last_stage_ends_at_the_most_that_a_running_job_shows(weighed: dict[Stage, float]) -> None:
    assert percent_of(Stage.ENCODE, 1.0, weighed) == PERCENT_MAX


@given(weights, st.sampled_from([Stage.RECEIVE, Stage.QUEUE]))
def test_a_job_that_waits_is_at_0(weighed: dict[Stage, float], stage: Stage) -> None:
    assert percent_of(stage, 1.0, weighed) == 0


@pytest.mark.parametrize(
    ("stage", "share", "percent"),
    [
        (Stage.LOAD, 0.0, 0),
        (Stage.PREPARE, 0.0, 7),
        (Stage.INFER, 0.0, 11),
        (Stage.INFER, 0.5, 51),
        (Stage.INFER, 1.0, 91),
        (Stage.ENCODE, 0.5, 96),
        (Stage.DONE, 0.0, 99),
    ],
)
def test_without_history_inference_is_most_of_it(stage: Stage, share: float, percent: int) -> None:
    assert percent_of(stage, share, PRIOR) == percent


def test_percent_is_the_share_of_the_time_that_earlier_runs_took() -> None:
    learnt = {Stage.INFER: 30.0, Stage.ENCODE: 70.0}
    assert percent_of(Stage.INFER, 0.5, learnt) == 14
    assert percent_of(Stage.ENCODE, 0.0, learnt) == 29


@given(places, places)
def test_of_two_places_one_follows_the_other(one: tuple[Stage, float], other: tuple[Stage, float]) -> None:
    here, there = Position(*one), Position(*other)
    assert here.follows(there) + there.follows(here) == (one != other)


def test_a_share_that_is_no_number_is_nothing_done() -> None:
    assert clamped(math.nan) == 0
