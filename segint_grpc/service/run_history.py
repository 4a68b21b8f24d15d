"""What the newest runs of each version took and made, kept at hand: read once, then added to as runs end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from segint_grpc.domain import run_times
from segint_grpc.domain.job_statistics import RUNS_REMEMBERED, MemoryUse
from segint_grpc.domain.jobs import Result, Stage, StageTimes
from segint_grpc.domain.memory_need import MemoryModel
from segint_grpc.domain.run_times import RUNS_ENOUGH, RunModel, RunTimes
from segint_grpc.service.hop import Hop
from segint_grpc.store.job_statistics import StatisticsStore
from segint_grpc.store.store import Store

LEARN_EVERY_S = 1.0
"""What has been learnt from enough runs is learnt anew after this at the earliest: small jobs are many."""

Measure = TypeVar("Measure")
Model = TypeVar("Model")


class RunHistory:
    """The newest runs of the versions, as they are now. Lives on the event loop's thread.

    What it gives away never changes, so other threads may read it.
    """

    def __init__(self, store: Store, hop: Hop) -> None:
        """Read from `store` what is asked for the first time."""
        self._statistics = store.statistics
        self._hop = hop
        self._pasts: dict[str, _Past] = {}
        self._forgotten = 0

    async def times(self, version_id: str) -> RunModel | None:
        """Return what the runs of a version say of how long its next takes; None where there is none."""
        return (await self._past(version_id)).times.learnt()

    async def memory(self, version_id: str) -> MemoryModel | None:
        """Return what they say of how much memory it needs; None where there is none."""
        return (await self._past(version_id)).memory.learnt()

    async def volumes_ml(self, version_id: str) -> Mapping[str, Sequence[float]]:
        """Return the volumes of each structure's newest masks, by StructureID, newest first."""
        return (await self._past(version_id)).volumes_ml

    def add(self, version_id: str, result: Result, *, hurried: bool = False) -> None:
        """Take note of a run that went well, once the store has it; of how long it took, unless `hurried`."""
        past = self._pasts.get(version_id)
        result = replace(result, times=StageTimes()) if hurried else result
        if past and past.continues(result):
            past.add(result)
        elif past:
            self.forget(version_id)

    def forget(self, version_id: str) -> None:
        """Take note that the version's runs are others, or that it may now run with something else."""
        self._forgotten += 1
        self._pasts.pop(version_id, None)

    def forget_all(self) -> None:
        """Take note that runs of any version may be gone."""
        self._forgotten += 1
        self._pasts.clear()

    async def _past(self, version_id: str) -> _Past:
        known = self._pasts.get(version_id)
        if known:
            return known
        forgotten = self._forgotten
        past = await self._hop.run(_Past, self._statistics, version_id)
        if forgotten != self._forgotten:
            # What was read may be what is to be forgotten: the next one to ask reads again.
            return past
        # A run that ended meanwhile may be missing: one of many.
        return self._pasts.setdefault(version_id, past)


class _Lesson(Generic[Measure, Model]):
    """What was measured of the newest runs, and what has been learnt from it."""

    def __init__(
        self, learn: Callable[[Sequence[Measure]], Model], newest_first: Sequence[Measure], most: int
    ) -> None:
        self.measures = deque(reversed(newest_first), maxlen=most)
        self._learn = learn
        self._model: Model | None = None
        self._learnt_at = 0.0
        self._unlearnt = True

    def add(self, measure: Measure) -> None:
        self.measures.append(measure)
        self._unlearnt = True

    def learnt(self) -> Model | None:
        if self.measures and self._unlearnt and self._due():
            self._model, self._unlearnt = self._learn(self.measures), False
            self._learnt_at = time.monotonic()
        return self._model

    def _due(self) -> bool:
        few = self._model is None or len(self.measures) <= RUNS_ENOUGH
        return few or time.monotonic() - self._learnt_at >= LEARN_EVERY_S


class _Past:
    """One version's newest runs. `volumes_ml` is replaced, never changed."""

    def __init__(self, statistics: StatisticsStore, version_id: str) -> None:
        times, memory = statistics.run_times(version_id), statistics.memory(version_id)
        self.times = _Lesson(RunModel, times, run_times.RUNS_REMEMBERED)
        self.memory = _Lesson(MemoryModel, memory, RUNS_REMEMBERED)
        self.volumes_ml: Mapping[str, Sequence[float]] = statistics.volumes_ml(version_id)

    def continues(self, result: Result) -> bool:
        """Return whether a run had the runtime of those before it; the store knows which is the present."""
        revisions = {run.times.revision for run in self.times.measures}
        return not _is_timed(result) or revisions == {result.times.revision}

    def add(self, result: Result) -> None:
        if _is_timed(result):
            self.times.add(RunTimes(result.voxels, result.times))
        if result.voxels and result.peak_memory_bytes:
            self.memory.add(MemoryUse(result.voxels, result.peak_memory_bytes))
        newest = {name: (volume_ml, *self._before(name)) for name, volume_ml in result.volumes_ml.items()}
        self.volumes_ml = {**self.volumes_ml, **newest}

    def _before(self, structure_id: str) -> Sequence[float]:
        return self.volumes_ml.get(structure_id, ())[: RUNS_REMEMBERED - 1]


def _is_timed(result: Result) -> bool:
    return result.voxels > 0 and result.times.seconds.get(Stage.INFER, 0.0) > 0
