from __future__ import annotations

from segint_grpc.service.figures import BUCKETS_S, Figures, Histogram, StageClock


def test_buckets_are_cumulative_and_their_bounds_inclusive() -> None:
    histogram = Histogram()
    for duration_s in (0.01, 0.02, 5000.0):
        histogram.observe(duration_s)
    assert (histogram.count, histogram.sum_s) == (3, 5000.03)
    assert histogram.counts == [1] + [2] * (len(BUCKETS_S) - 1)


def test_a_stage_is_counted_once_when_the_next_begins() -> None:
    figures = Figures()
    clock = StageClock(figures)
    for stage in ("load", "load", "infer", "infer", ""):
        clock.enter(stage)
    clock.enter("")
    assert {stage: histogram.count for stage, histogram in figures.stages.items()} == {"load": 1, "infer": 1}
