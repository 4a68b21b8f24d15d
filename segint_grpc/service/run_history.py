"""How long the runs of each version take, kept at hand: read once, then added to as runs end."""

from __future__ import annotations

from collections import deque

from segint_grpc.domain.run_times import RUNS_REMEMBERED, RunModel, RunTimes
from segint_grpc.service.hop import Hop
from segint_grpc.store.store import Store

LEARN_EVERY = 10
"""Once it rests on this many runs or more, what is learnt is learnt anew for every tenth of them."""


class RunHistory:
    """The newest runs of the versions, as they are now. Lives on the event loop's thread."""

    def __init__(self, store: Store, hop: Hop) -> None:
        """Read from `store` what is asked for the first time."""
        self._statistics = store.statistics
        self._hop = hop
        self._versions: dict[str, _Version] = {}

    async def of(self, version_id: str) -> RunModel | None:
        """Return what the runs of a version say of its next; None where there is none."""
        if version_id not in self._versions:
            runs = await self._hop.run(self._statistics.run_times, version_id)
            self._versions.setdefault(version_id, _Version(runs))
        return self._versions[version_id].model()

    def add(self, version_id: str, run: RunTimes) -> None:
        """Take note of a run that has gone well."""
        if version_id in self._versions:
            self._versions[version_id].add(run)

    def forget(self, version_id: str) -> None:
        """Take note that the version may run with something else from now on."""
        self._versions.pop(version_id, None)


class _Version:
    def __init__(self, newest_first: list[RunTimes]) -> None:
        self._runs = deque(reversed(newest_first), maxlen=RUNS_REMEMBERED)
        self._model: RunModel | None = None
        self._unlearnt = len(self._runs)

    def add(self, run: RunTimes) -> None:
        newest = max((known.times.revision for known in self._runs), default=0)
        if run.times.revision < newest or not run.voxels:
            return
        if run.times.revision > newest:
            self._runs.clear()
            self._model = None
        self._runs.append(run)
        self._unlearnt += 1

    def model(self) -> RunModel | None:
        if self._runs and (self._model is None or self._unlearnt * LEARN_EVERY >= len(self._runs)):
            self._model = RunModel(self._runs)
            self._unlearnt = 0
        return self._model
