"""What happens without being asked: taking up jobs after a restart, deadlines in the queue, retention.

Two lifetimes: voxels, masks and posted bodies go after their retention; a job's row stays for its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from segint_grpc.domain.jobs import JobState
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.dispatcher import Dispatcher
from segint_grpc.service.hop import OUTAGES
from segint_grpc.service.models import Models
from segint_grpc.service.unpacking import Unpacking
from segint_grpc.store.retention import Retention

log = logging.getLogger(__name__)

INTERVAL_S = 2.0
FILES_EVERY_S = 3600.0
UNUSED_FILE_S = 86_400.0
"""A file that was uploaded this long ago and that no version uses is not waited for any more."""


class Housekeeping:
    """Keeps the house: once at the start, then every few seconds."""

    def __init__(
        self,
        context: ServiceContext,
        models: Models,
        unpacking: Unpacking,
        dispatcher: Dispatcher,
        work: asyncio.Event,
    ) -> None:
        """Work on the store; `work` is set where jobs wait."""
        self._models = models
        self._context = context
        self._store = context.store
        self._hop = context.hop
        self._unpacking = unpacking
        self._dispatcher = dispatcher
        self._work = work
        self._stubborn: set[str] = set()
        settings = context.settings
        self._lifetimes = Retention(
            settings.failed_body_retention_s, settings.result_retention_s, settings.row_retention_s
        )

    async def take_up(self) -> None:
        """Bring jobs that an earlier server left unfinished back on their way, and sweep what it dropped."""
        attempts_max = self._context.settings.attempts_max
        recovered = await self._hop.run(self._store.jobs.recover, attempts_max)
        removed = await self._hop.run(self._store.sweep)
        unfinished = await self._hop.run(self._store.jobs.unfinished)
        for job in unfinished:
            if job.state is JobState.RECEIVED:
                self._unpacking.resume(job)
        self._work.set()
        facts = {"requeued": len(recovered), "unfinished": len(unfinished), "files_removed": removed}
        log.info("jobs taken up", extra=facts)

    async def run(self) -> None:
        """Look after deadlines, retention and unused files until cancelled."""
        files_at = 0.0
        while True:
            try:
                await self._expire()
                if await self._hop.run(self._forget):
                    self._context.history.forget_all()
                if time.monotonic() >= files_at:
                    files_at = time.monotonic() + FILES_EVERY_S
                    await self._models.files.drop_unused(UNUSED_FILE_S)
                    await self._prune_audit()
            except Exception as error:
                text = "housekeeping failed, it goes on: %s"
                log.error(text, error, exc_info=not isinstance(error, OUTAGES))
            await asyncio.sleep(INTERVAL_S)

    async def _expire(self) -> None:
        for job in await self._hop.run(self._store.jobs.expire):
            log.info("deadline passed in the queue", extra={"expired": job.id})
            self._context.board.publish(job.id)
            await self._unpacking.drop(job.id)
        # The moment before the renewals counts: a clock that jumps after them has not run any lease out.
        as_of = self._store.now()
        await self._dispatcher.renew()
        attempts_max = self._context.settings.attempts_max
        for job in await self._hop.run(self._store.jobs.reclaim, attempts_max, as_of):
            log.warning("a run was not heard of any more", extra={"reclaimed": job.id})
            self._context.board.publish(job.id)
            self._work.set()
            if job.finished:
                await self._unpacking.drop(job.id)

    async def _prune_audit(self) -> None:
        lifetime_s = self._context.settings.audit_retention_s
        while pruned := await self._hop.run(self._store.audit.prune, lifetime_s):
            log.info("records of the audit log are past their lifetime", extra={"pruned": pruned})

    def _forget(self) -> bool:
        """Remove what is past its retention: first the files, then the note that they are gone.

        Returns whether jobs are gone for good.
        """
        retention, media = self._store.retention, self._store.media
        due = retention.due(self._lifetimes)
        retention.forget_bodies(self._gone(due.bodies, media.remove_body))
        retention.forget_results(self._gone(due.results, media.remove_result))
        jobs = retention.delete_rows(due.rows)
        opinions = retention.delete_unlinked_opinions(self._lifetimes.row_s)
        if jobs or opinions or self._store.traces_left:
            self._store.erase()
        return jobs > 0

    def _gone(self, job_ids: Sequence[str], remove: Callable[[str], None]) -> list[str]:
        """Return those whose file could be removed; one that cannot be must not keep the others."""
        gone = []
        for job_id in job_ids:
            try:
                remove(job_id)
            except OSError as error:
                self._tell(job_id, error)
            else:
                gone.append(job_id)
        return gone

    def _tell(self, job_id: str, error: OSError) -> None:
        """Log once that a file stays."""
        if job_id not in self._stubborn:
            self._stubborn.add(job_id)
            log.error("a file cannot be removed (%s)", error.strerror, extra={"kept": job_id})
