"""How long the runs of each version take, kept at hand: read once, then added to as runs end."""

from __future__ import annotations

import time
from collections import deque

from segint_grpc.domain.run_times import RUNS_ENOUGH, RUNS_REMEMBERED, RunModel, RunTimes
from segint_grpc.service.hop import Hop
from segint_grpc.store.store import Store

LEARN_EVERY_S = 1.0
"""What has been learnt from enough runs is learnt anew after this at the earliest: small jobs are many."""


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
        self._learnt_at = 0.0
        self._unlearnt = False

    def add(self, run: RunTimes) -> None:
        newest = max((known.times.revision for known in self._runs), default=0)
        if run.times.revision < newest or not run.voxels:
            return
        if run.times.revision > newest:
            self._runs.clear()
            self._model = None
        self._runs.append(run)
        self._unlearnt = True

    def model(self) -> RunModel | None:
        if self._runs and (self._model is None or (self._unlearnt and self._due())):
            self._model, self._unlearnt, self._learnt_at = RunModel(self._runs), False, time.monotonic()
        return self._model

    def _due(self) -> bool:
        return len(self._runs) <= RUNS_ENOUGH or time.monotonic() - self._learnt_at >= LEARN_EVERY_S
