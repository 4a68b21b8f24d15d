"""What a run says of itself on its way to the store and to those who watch."""

from __future__ import annotations

import asyncio
import logging

from segint_grpc import errors
from segint_grpc.domain.jobs import RUN_STAGES, Job, Lease, Stage, StageTimes
from segint_grpc.domain.progress import PRIOR, Position, Weights, clamped, percent_of
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.figures import StageClock
from segint_grpc.service.hop import OUTAGES, RETRY_S

log = logging.getLogger(__name__)

FIRST_S = 0.08
"""After which the first report is written: a run that has ended by then needs none."""
INTERVAL_S = 0.2


class Reports:
    """Follows a run, and writes its progress down, the newest a few times a second."""

    def __init__(self, context: ServiceContext, job: Job, lease: Lease) -> None:
        """Report for the run of `job` that holds `lease`."""
        self._context = context
        self._jobs = context.store.jobs
        self._hop = context.hop
        self._board = context.board
        self._job = job
        self._lease = lease
        self._clock = StageClock(context.figures)
        self._news = asyncio.Event()
        self._at = Position(Stage.LOAD)
        self._weights: Weights | None = None

    def take(self, stage: Stage, share: float) -> None:
        """Note how far the run is; returns at once. A run that loads no model never says that it does."""
        elapsed_s = self._clock.elapsed_s if stage is self._at.stage else 0.0
        at = Position(stage, clamped(share), elapsed_s, elapsed_s, self._at.cold or stage is Stage.LOAD)
        if at.follows(self._at) or at.cold is not self._at.cold:
            self._clock.enter(stage)
            self._at = at
            self._news.set()

    def position(self) -> Position:
        """Return where the run is now."""
        at = self._at
        return Position(at.stage, at.share, self._clock.elapsed_s, at.reported_s, at.cold)

    def times(self, revision: int) -> StageTimes:
        """Return what the stages took, once the run, with that revision of the runtime, has ended."""
        seconds = self._clock.seconds
        told = {stage: seconds[stage] for stage in RUN_STAGES if stage in seconds}
        return StageTimes(told, self._at.cold, revision)

    async def __aenter__(self) -> Reports:
        """Begin to write."""
        self._clock.enter(Stage.LOAD)
        self._context.positions[self._job.id] = self.position
        self._board.publish(self._job.id, quiet=True)
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *details: object) -> None:
        """Stop writing; what the run's end says counts more."""
        self._clock.enter("")
        self._context.positions.pop(self._job.id, None)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                percent = percent_of(self._at.stage, self._at.share, await self._learnt_weights())
                await self._hop.run(self._jobs.report, self._lease, percent, self._at.stage)
                self._board.publish(self._job.id)
            except errors.StaleLease:
                # `Dispatcher.renew` ends the run.
                return
            except Exception as error:
                text = "a run's progress could not be written down: %s"
                log.error(text, error, exc_info=not isinstance(error, OUTAGES))
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(INTERVAL_S)

    async def _learnt_weights(self) -> Weights:
        """Return what the stages weigh, the same for the whole run: others would let the percentage jump."""
        if self._weights is None:
            model = await self._context.history.times(self._job.model_id)
            job = self._job
            expected = model.expect(job.voxels, self._at.cold, job.infer_share) if model else None
            self._weights = expected.seconds if expected else PRIOR
        return self._weights
