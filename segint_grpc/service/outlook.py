"""How long jobs will take: where their runs are, who is before them, and what their versions' runs took."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.remaining import UNKNOWN, Queue, Remaining, from_here, of_run
from segint_grpc.domain.run_times import RunModel
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.job_view import JobView

FORECAST_S = 0.5
"""How long a forecast of the queue counts: it asks the store for every unfinished job."""


@dataclass
class _Forecast:
    """How long until each job that waits ends, by id, the queue behind them, and what will be loaded by then.

    Jobs that come later are added, until the store is asked again.
    """

    waiting: dict[str, Remaining]
    queue: Queue
    warm: set[str]
    made_at: float = field(default_factory=time.monotonic)

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.made_at < FORECAST_S


class Outlook:
    """Looks ahead. Lives on the event loop's thread."""

    def __init__(
        self,
        context: ServiceContext,
        slots: Callable[[], int],
        loaded: Callable[[], Iterable[str]],
    ) -> None:
        """Reckon with so many `slots`, and with the versions that are `loaded`."""
        self._jobs = context.store.jobs
        self._hop = context.hop
        self._history = context.history
        self._positions = context.positions
        self._slots = slots
        self._loaded = loaded
        self._forecast: _Forecast | None = None
        self._forecasting = asyncio.Lock()

    async def views(self, jobs: Sequence[Job]) -> list[JobView]:
        """Return `jobs` with their places in the queue and how long until they end."""
        waiting = any(job.state in (JobState.RECEIVED, JobState.QUEUED) for job in jobs)
        places = await self._hop.run(self._jobs.queue_places) if waiting else {}
        return [JobView(job, places.get(job.id, 0), await self.remaining(job)) for job in jobs]

    async def remaining(self, job: Job) -> Remaining | None:
        """Return how long until `job` ends; None where too little is known, or where it has ended."""
        if job.finished:
            return None
        if job.state is JobState.RUNNING:
            return await self._running(job)
        known = (await self._current(job.id)).waiting.get(job.id)
        return _told(known or UNKNOWN)

    async def turn_s(self, *, anew: bool = False) -> float | None:
        """Return how long until a job that is posted now has its turn; None where too little is known.

        Somebody may be refused for it: ask `anew`, and what has ended in the last half second counts too.
        """
        if anew:
            self._forecast = None
        turn = _told((await self._current()).queue.turn)
        return turn.expected_s if turn else None

    def reckon_with(self, job: Job, model: RunModel) -> None:
        """Count a job of a version with a past that has been taken in, until the next forecast does."""
        known = self._forecast
        if known:
            known.waiting[job.id] = known.queue.add(_whole(job, model, known.warm))

    async def _running(self, job: Job) -> Remaining | None:
        position = self._positions.get(job.id)
        if position is None:
            return None
        at, model = position(), await self._history.times(job.model_id)
        return from_here(model.expect(job.voxels, at.cold, job.infer_share) if model else None, at)

    async def _current(self, job_id: str = "") -> _Forecast:
        """Return a forecast that is fresh and knows the job."""
        async with self._forecasting:
            known = self._forecast
            if known is None or not known.fresh or (job_id and job_id not in known.waiting):
                known = self._forecast = await self._foresee()
            return known

    async def _foresee(self) -> _Forecast:
        unfinished = await self._hop.run(self._jobs.unfinished)
        running = [job for job in unfinished if job.state is JobState.RUNNING]
        waiting = [job for job in unfinished if job.state is not JobState.RUNNING]
        warm = {*self._loaded(), *(job.model_id for job in running)}
        models = {job.model_id: await self._history.times(job.model_id) for job in unfinished}
        left = [await self._running(job) or _whole(job, models[job.model_id], warm) for job in running]
        queue = Queue(self._slots(), left)
        ends = {job.id: queue.add(_whole(job, models[job.model_id], warm)) for job in waiting}
        return _Forecast(ends, queue, warm)


def _whole(job: Job, model: RunModel | None, warm: set[str]) -> Remaining:
    """Return what the job's run takes, and count its version as loaded from then on."""
    cold = job.model_id not in warm
    warm.add(job.model_id)
    return of_run(model.expect(job.voxels, cold, job.infer_share)) if model else UNKNOWN


def _told(remaining: Remaining) -> Remaining | None:
    return remaining if math.isfinite(remaining.high_s) else None
