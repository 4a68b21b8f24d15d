"""The history of a version at hand: read once, added to, and begun anew with what runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from segint_grpc.domain.job_lists import JobFilter
from segint_grpc.domain.job_statistics import RUNS_REMEMBERED
from segint_grpc.domain.jobs import Result, Stage, StageTimes
from segint_grpc.domain.models import ConstraintPolicy, RuntimeRecord
from segint_grpc.service.hop import Hop
from segint_grpc.service.run_history import RunHistory
from segint_grpc.store import Store
from tests.fakes.past_runs import add_runs
from tests.fakes.stores import Clock, a_result, make_home
from tests.families import a_family


class Stand:
    """A store with one version, and its history."""

    def __init__(self, store: Store, history: RunHistory) -> None:
        self.store, self.history = store, history

    async def infer_s(self) -> float | None:
        model = await self.history.times("Liver")
        return model.expect(10, cold=False).seconds[Stage.INFER] if model else None


@pytest_asyncio.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    with Store(make_home(tmp_path), Clock()) as store, Hop("test") as hop:
        body = a_family("Livers", ["Liver"]).SerializeToString()
        store.models.import_family("Livers", ["Liver"], body, ConstraintPolicy.WARN)
        store.models.set_runtime("Liver", RuntimeRecord("phantom"))
        yield Stand(store, RunHistory(store, hop))


def a_run(infer_s: float, revision: int = 1, **measured: object) -> Result:
    return a_result(voxels=10, times=StageTimes({Stage.INFER: infer_s}, False, revision), **measured)


async def test_runs_are_learnt_from_as_they_end(stand: Stand) -> None:
    assert await stand.infer_s() is None
    add_runs(stand.store, "Liver", [(10, 4.0)])
    stand.history.add("Liver", a_run(4.0))
    assert await stand.infer_s() == 4.0
    stand.history.add("Liver", a_run(6.0))
    assert await stand.infer_s() == 5.0


async def test_memory_and_volumes_are_learnt_from_as_runs_end(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 4.0)])
    assert await stand.history.memory("Liver") is None
    before_ml = await stand.history.volumes_ml("Liver")
    for volume_ml in (1400.0, 1500.0):
        stand.history.add("Liver", a_run(4.0, peak_memory_bytes=700, volumes_ml={"1": volume_ml}))
    memory = await stand.history.memory("Liver")
    assert memory
    assert memory.expected_bytes(10) == 700
    assert await stand.history.volumes_ml("Liver") == {"1": (1500.0, 1400.0)}
    assert before_ml == {}


async def test_of_a_hurried_run_memory_and_volumes_are_learnt_and_no_time(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 4.0)])
    assert await stand.infer_s() == 4.0
    stand.history.add("Liver", a_run(1.0, peak_memory_bytes=700, volumes_ml={"1": 5.0}), hurried=True)
    assert await stand.infer_s() == 4.0
    assert await stand.history.memory("Liver")
    assert await stand.history.volumes_ml("Liver") == {"1": (5.0,)}


async def test_so_many_runs_say_what_is_usual_and_no_more(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 4.0)])
    assert await stand.infer_s() == 4.0
    for number in range(RUNS_REMEMBERED + 3):
        stand.history.add("Liver", a_run(4.0, volumes_ml={"1": 1.0 + number}))
    volumes_ml = (await stand.history.volumes_ml("Liver"))["1"]
    assert list(volumes_ml) == [1.0 + number for number in reversed(range(3, RUNS_REMEMBERED + 3))]


async def test_what_another_runtime_took_does_not_count(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 600.0)])
    assert await stand.infer_s() == 600.0
    stand.store.models.set_runtime("Liver", RuntimeRecord("phantom", parameters={"sides": 2}))
    add_runs(stand.store, "Liver", [(10, 6.0)])
    stand.history.add("Liver", a_run(6.0, revision=2))
    assert await stand.infer_s() == 6.0
    stand.history.add("Liver", a_run(500.0, revision=1))
    assert await stand.infer_s() == 6.0


async def test_a_run_without_voxels_teaches_nothing(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 4.0)])
    assert await stand.infer_s() == 4.0
    stand.history.add("Liver", a_result(voxels=0, times=StageTimes({Stage.INFER: 9.0}, False, 1)))
    assert await stand.infer_s() == 4.0


async def test_a_version_whose_runtime_is_changed_is_read_again(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 600.0)])
    assert await stand.infer_s() == 600.0
    stand.store.models.set_runtime("Liver", RuntimeRecord("phantom", parameters={"sides": 2}))
    stand.history.forget("Liver")
    assert await stand.infer_s() is None


async def test_what_is_forgotten_while_it_is_read_is_not_kept(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 600.0)])
    reading = asyncio.create_task(stand.infer_s())
    await asyncio.sleep(0)
    for job in stand.store.jobs.page(JobFilter(), None, 9):
        stand.store.jobs.delete(job.id)
    stand.history.forget_all()
    await reading
    assert await stand.infer_s() is None
