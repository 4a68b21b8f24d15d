"""Figures of the versions' jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.job_statistics import RUNS_REMEMBERED, MemoryUse, Quantiles, VersionStatistics
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.models import ConstraintPolicy
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop
from segint_grpc.service.job_statistics import Statistics
from segint_grpc.settings import Settings
from segint_grpc.store import Store
from tests.fakes.stores import LEASE_S, Clock, a_result, make_home, queued_job
from tests.families import a_family


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with Store(make_home(tmp_path), clock) as store:
        yield store


def run(store: Store, clock: Clock, model_id: str, waits_s: float, runs_s: float, error: str = "") -> None:
    """Have a job of `model_id` wait and run as long, and end well or with `error`."""
    queued_job(store, clock(), model_id=model_id)
    clock.advance(waits_s)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    clock.advance(runs_s)
    if error:
        store.jobs.fail(claimed[1], error, "It went wrong.")
    else:
        store.jobs.succeed(claimed[1], a_result(peak_memory_bytes=int(runs_s * 1000)))


def test_jobs_are_counted_by_version_and_end_and_failures_by_reason(store: Store, clock: Clock) -> None:
    for error in ("", "", "InternalError", "InternalError", "DecompressionError"):
        run(store, clock, "liver", 1, 1, error)
    run(store, clock, "lung", 1, 1)
    store.jobs.cancel(queued_job(store, clock(), model_id="liver").id)
    queued_job(store, clock(), model_id="liver")
    liver = store.statistics.versions()["liver"]
    assert (liver.jobs, liver.succeeded, liver.cancelled) == (7, 2, 1)
    assert liver.failures == {"InternalError": 2, "DecompressionError": 1}
    assert list(store.statistics.versions("lung")) == ["lung"]


def test_times_are_nearest_ranks_of_each_version_by_itself(store: Store, clock: Clock) -> None:
    for number in range(1, 21):
        run(store, clock, "liver", number / 2, number)
    for number in (7, 9):
        run(store, clock, "lung", number, 100 * number)
    figures = store.statistics.versions()
    assert figures["liver"].queue_s == Quantiles(5.0, 9.5)
    assert figures["liver"].run_s == Quantiles(10.0, 19.0)
    assert figures["lung"].queue_s == Quantiles(7.0, 9.0)
    assert figures["lung"].run_s == Quantiles(700.0, 900.0)


def test_only_runs_that_succeeded_tell_how_long_a_run_takes(store: Store, clock: Clock) -> None:
    run(store, clock, "liver", 1, 60)
    for _ in range(10):
        run(store, clock, "liver", 1, 0.5, "InternalError")
    assert store.statistics.versions()["liver"].run_s == Quantiles(60.0, 60.0)


def test_the_peak_is_the_largest_of_any_run(store: Store, clock: Clock) -> None:
    for runs_s in (3, 8, 5):
        run(store, clock, "liver", 1, runs_s)
    assert store.statistics.versions()["liver"].peak_memory_bytes == 8000


def test_what_was_never_measured_is_absent_and_not_0(store: Store, clock: Clock) -> None:
    queued_job(store, clock(), model_id="liver")
    assert store.statistics.versions() == {"liver": VersionStatistics("liver", jobs=1)}


def test_the_wait_is_that_until_the_first_run(store: Store, clock: Clock) -> None:
    queued_job(store, clock(), model_id="liver")
    clock.advance(3)
    first = store.jobs.claim("slot-0", LEASE_S)
    assert first
    clock.advance(50)
    store.jobs.release(first[1])
    clock.advance(50)
    again = store.jobs.claim("slot-0", LEASE_S)
    clock.advance(20)
    assert again
    store.jobs.succeed(again[1], a_result())
    assert store.statistics.versions()["liver"].queue_s == Quantiles(3.0, 3.0)
    assert store.statistics.versions()["liver"].run_s == Quantiles(20.0, 20.0)


async def test_every_version_that_is_here_or_had_jobs_is_told_of(store: Store, clock: Clock) -> None:
    family = a_family("Livers", ["Liver 1", "Liver 2"])
    body = family.SerializeToString()
    store.models.import_family("Livers", ["Liver 1", "Liver 2"], body, ConstraintPolicy.WARN)
    run(store, clock, "Liver 2", 1, 1)
    run(store, clock, "gone", 1, 1)
    with Hop("test") as hop:
        statistics = Statistics(ServiceContext(store, hop, Settings()))
        told = await statistics.versions()
        assert [(figures.version_id, figures.jobs) for figures in told] == [
            ("Liver 1", 0),
            ("Liver 2", 1),
            ("gone", 1),
        ]
        assert await statistics.versions("Liver 1") == [VersionStatistics("Liver 1")]
        load = ModelLoad(1.5, 3000, 70, "cuda:0")
        store.versions.keep_load("Liver 1", load, clock())
        (told_of_one,) = await statistics.versions("Liver 1")
        assert told_of_one.load == replace(load, loaded_at=clock())
        with pytest.raises(errors.UnknownModel, match="'Liver 1', 'Liver 2'"):
            await statistics.versions("nothing")


def measured(store: Store, clock: Clock, model_id: str, liver_ml: float, voxels: int) -> str:
    """Have a job of `model_id` succeed with these measures; return its id."""
    job = queued_job(store, clock(), model_id=model_id)
    claimed = store.jobs.claim("slot-0", LEASE_S)
    assert claimed
    measures = {"volumes_ml": {"1": liver_ml, "2": 0.0}, "voxels": voxels}
    store.jobs.succeed(claimed[1], a_result(peak_memory_bytes=9 * voxels, **measures))
    clock.advance(1)
    return job.id


def test_the_volumes_of_recent_masks_are_remembered_by_structure(store: Store, clock: Clock) -> None:
    for number in range(RUNS_REMEMBERED + 3):
        measured(store, clock, "liver", 1000.0 + number, 10)
    measured(store, clock, "lung", 1.5, 10)
    volumes = store.statistics.volumes_ml("liver")
    assert volumes["1"] == [1000.0 + number for number in range(RUNS_REMEMBERED + 2, 2, -1)]
    assert volumes["2"] == [0.0] * RUNS_REMEMBERED
    assert store.statistics.volumes_ml("kidney") == {}


def test_volumes_go_with_their_job(store: Store, clock: Clock) -> None:
    job_id = measured(store, clock, "liver", 1500.0, 10)
    store.jobs.delete(job_id)
    assert store.statistics.volumes_ml("liver") == {}


def test_the_memory_of_recent_runs_is_told_where_it_was_measured(store: Store, clock: Clock) -> None:
    measured(store, clock, "liver", 1.0, 1000)
    measured(store, clock, "liver", 1.0, 0)
    run(store, clock, "liver", 1, 1, "InternalError")
    measured(store, clock, "liver", 1.0, 3000)
    assert store.statistics.memory("liver") == [MemoryUse(3000, 27000), MemoryUse(1000, 9000)]


def test_the_last_load_of_a_version_is_kept_as_long_as_the_version(store: Store, clock: Clock) -> None:
    body = a_family("Livers", ["Liver 1"]).SerializeToString()
    store.models.import_family("Livers", ["Liver 1"], body, ConstraintPolicy.WARN)
    for version_id in ("Liver 1", "gone"):
        for load in (ModelLoad(9.0, 1), ModelLoad(2.0, 5000), None):
            queued_job(store, clock(), model_id=version_id)
            claimed = store.jobs.claim("slot-1", LEASE_S)
            assert claimed
            store.jobs.succeed(claimed[1], a_result(load=load))
    (kept,) = store.versions.loads().items()
    assert kept == ("Liver 1", ModelLoad(2.0, 5000, loaded_at=clock()))
    store.versions.keep_load("gone", ModelLoad(1.0, 1), clock())
    assert list(store.versions.loads()) == ["Liver 1"]
    store.models.remove_family("Livers")
    assert store.versions.loads() == {}
