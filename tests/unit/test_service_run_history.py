"""The history of a version at hand: read once, added to, and begun anew with what runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from segint_grpc.domain.jobs import Stage, StageTimes
from segint_grpc.domain.models import ConstraintPolicy, RuntimeRecord
from segint_grpc.domain.run_times import RunTimes
from segint_grpc.service.hop import Hop
from segint_grpc.service.run_history import RunHistory
from segint_grpc.store import Store
from tests.fakes.past_runs import add_runs
from tests.fakes.stores import Clock, make_home
from tests.families import a_family


class Stand:
    """A store with one version, and its history."""

    def __init__(self, store: Store, history: RunHistory) -> None:
        self.store, self.history = store, history

    async def infer_s(self) -> float | None:
        model = await self.history.of("Liver")
        return model.expect(10, cold=False).seconds[Stage.INFER] if model else None


@pytest_asyncio.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    with Store(make_home(tmp_path), Clock()) as store, Hop("test") as hop:
        body = a_family("Livers", ["Liver"]).SerializeToString()
        store.models.import_family("Livers", ["Liver"], body, ConstraintPolicy.WARN)
        store.models.set_runtime("Liver", RuntimeRecord("phantom"))
        yield Stand(store, RunHistory(store, hop))


def a_run(infer_s: float, revision: int) -> RunTimes:
    return RunTimes(10, StageTimes({Stage.INFER: infer_s}, False, revision))


async def test_runs_are_learnt_from_as_they_end(stand: Stand) -> None:
    assert await stand.infer_s() is None
    stand.history.add("Liver", a_run(4.0, 1))
    assert await stand.infer_s() == 4.0
    stand.history.add("Liver", a_run(6.0, 1))
    assert await stand.infer_s() == 5.0


async def test_what_another_runtime_took_does_not_count(stand: Stand) -> None:
    assert await stand.infer_s() is None
    for infer_s, revision in ((600.0, 1), (6.0, 2), (500.0, 1)):
        stand.history.add("Liver", a_run(infer_s, revision))
    assert await stand.infer_s() == 6.0


async def test_a_run_without_voxels_teaches_nothing(stand: Stand) -> None:
    assert await stand.infer_s() is None
    stand.history.add("Liver", RunTimes(0, StageTimes({Stage.INFER: 4.0}, False, 1)))
    assert await stand.infer_s() is None


async def test_a_version_whose_runtime_is_changed_is_read_again(stand: Stand) -> None:
    add_runs(stand.store, "Liver", [(10, 600.0)])
    assert await stand.infer_s() == 600.0
    stand.store.models.set_runtime("Liver", RuntimeRecord("phantom", parameters={"sides": 2}))
    stand.history.forget("Liver")
    assert await stand.infer_s() is None
