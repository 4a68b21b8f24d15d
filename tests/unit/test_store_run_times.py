"""How long the stages of runs took is kept with their success, and given back for the runtime in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from segint_grpc.domain.jobs import Stage, StageTimes
from segint_grpc.domain.models import ConstraintPolicy, RuntimeRecord
from segint_grpc.domain.run_times import RUNS_REMEMBERED, RunTimes
from segint_grpc.store import Store
from tests.fakes.past_runs import add_runs
from tests.fakes.stores import Clock, a_result, make_home, running_job
from tests.families import a_family


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_home(tmp_path), Clock()) as store:
        body = a_family("Livers", ["Liver"]).SerializeToString()
        store.models.import_family("Livers", ["Liver"], body, ConstraintPolicy.WARN)
        store.models.set_runtime("Liver", RuntimeRecord("phantom"))
        yield store


def revision_of(store: Store) -> int:
    runtime = store.models.version("Liver")[1].runtime
    assert runtime
    return runtime.revision


def test_a_run_that_goes_well_keeps_how_long_its_stages_took(store: Store) -> None:
    times = StageTimes({Stage.LOAD: 1.5, Stage.INFER: 20.25, Stage.ENCODE: 0.5}, True, revision_of(store))
    _, lease = running_job(store, model_id="Liver")
    store.jobs.succeed(lease, a_result(voxels=77, times=times))
    assert store.statistics.run_times("Liver") == [RunTimes(77, times)]


def test_runs_that_failed_and_runs_of_others_tell_nothing(store: Store) -> None:
    _, lease = running_job(store, model_id="Liver")
    store.jobs.fail(lease, "InternalError", "The model failed.")
    add_runs(store, "Lung", [(10, 1.0)], revision=revision_of(store))
    assert store.statistics.run_times("Liver") == []


def test_a_run_that_was_not_measured_tells_nothing(store: Store) -> None:
    add_runs(store, "Liver", [(0, 1.0), (10, 0.0)])
    assert store.statistics.run_times("Liver") == []


def test_a_hurried_run_tells_nothing_of_the_usual_time_but_of_memory_and_volumes(store: Store) -> None:
    times = StageTimes({Stage.INFER: 2.0}, False, revision_of(store))
    _, lease = running_job(store, model_id="Liver", infer_share=0.3)
    result = a_result(voxels=77, times=times, peak_memory_bytes=9, volumes_ml={"1": 4.0})
    store.jobs.succeed(lease, result)
    assert store.statistics.run_times("Liver") == []
    assert [use.voxels for use in store.statistics.memory("Liver")] == [77]
    assert store.statistics.volumes_ml("Liver") == {"1": [4.0]}


def test_a_new_runtime_begins_anew(store: Store) -> None:
    add_runs(store, "Liver", [(10, 600.0)])
    store.models.set_runtime("Liver", RuntimeRecord("phantom", parameters={"sides": 2}))
    assert store.statistics.run_times("Liver") == []
    add_runs(store, "Liver", [(10, 6.0)])
    assert [run.times.seconds[Stage.INFER] for run in store.statistics.run_times("Liver")] == [6.0]


def test_only_the_newest_runs_count(store: Store) -> None:
    add_runs(store, "Liver", [(10, 1.0 + number) for number in range(RUNS_REMEMBERED + 3)])
    told = [run.times.seconds[Stage.INFER] for run in store.statistics.run_times("Liver")]
    assert told == [1.0 + number for number in reversed(range(3, RUNS_REMEMBERED + 3))]


def test_a_job_keeps_its_voxels_and_its_setting_from_the_post_on(store: Store) -> None:
    job, _ = running_job(store, model_id="Liver", voxels=123, infer_share=0.3)
    assert store.jobs.get(job.id).voxels == 123
    assert store.jobs.get(job.id).infer_share == 0.3
    assert store.jobs.get(job.id).hurried
