"""What a run says of itself on its way to the store and to those who watch."""

from __future__ import annotations

import asyncio
import logging

from segint_grpc import errors
from segint_grpc.domain.jobs import Lease, Stage
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.figures import StageClock
from segint_grpc.service.hop import OUTAGES, RETRY_S

log = logging.getLogger(__name__)

FIRST_S = 0.08
"""After which the first report is written: a run that has ended by then needs none."""
INTERVAL_S = 0.2


class Reports:
    """Writes a run's progress down, the newest a few times a second."""

    def __init__(self, context: ServiceContext, lease: Lease) -> None:
        """Report for the run that holds `lease`."""
        self._jobs = context.store.jobs
        self._hop = context.hop
        self._board = context.board
        self._lease = lease
        self._clock = StageClock(context.figures)
        self._news = asyncio.Event()
        self._newest = (0, str(Stage.LOAD))

    def take(self, percent: int, stage: str) -> None:
        """Note how far the run is; returns at once."""
        self._clock.enter(stage)
        self._newest = (percent, stage)
        self._news.set()

    async def __aenter__(self) -> Reports:
        """Begin to write."""
        self._board.publish(self._lease.job_id, quiet=True)
        self._writer = asyncio.create_task(self._write())
        return self

    async def __aexit__(self, *details: object) -> None:
        """Stop writing; what the run's end says counts more."""
        self._clock.enter("")
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def _write(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._hop.run(self._jobs.report, self._lease, *self._newest)
                self._board.publish(self._lease.job_id)
            except errors.StaleLease:
                # `Dispatcher.renew` ends the run.
                return
            except Exception as error:
                text = "a run's progress could not be written down: %s"
                log.error(text, error, exc_info=not isinstance(error, OUTAGES))
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(INTERVAL_S)
