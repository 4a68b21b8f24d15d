"""A client's view of its job: how far it is, its result, its cancellation, and what the client says of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from segint_grpc import errors
from segint_grpc.domain import access
from segint_grpc.domain.access import Scope
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.service.audit_log import entry_now
from segint_grpc.service.board import Watch
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.dispatcher import Dispatcher
from segint_grpc.service.job_view import JobView
from segint_grpc.service.outlook import Outlook
from segint_grpc.settings import TOKEN
from segint_grpc.store.opinions import OpinionKind

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """Jobs that have changed, as they now are, and whether the offered models have, or who may do what."""

    jobs: list[Job]
    models: bool = False
    access: bool = False


class Jobs:
    """Answers questions about jobs. `model_id` may be empty: then the job's id alone counts.

    In the client mode `token` another's job does not exist for a client.
    """

    def __init__(self, context: ServiceContext, dispatcher: Dispatcher, outlook: Outlook) -> None:
        """Read from the store, watch the board, end runs through `dispatcher`, look ahead with `outlook`."""
        self._store = context.store
        self._hop = context.hop
        self._board = context.board
        self._dispatcher = dispatcher
        self._owned = context.settings.mode == TOKEN
        self._free_disk_min_bytes = context.settings.free_disk_min_bytes
        self._outlook = outlook

    async def get(self, job_id: str, model_id: str = "") -> JobView:
        """Return the job; raises UnknownJob."""
        job, jobs_ahead = await self._hop.run(self._seen, job_id, model_id)
        return JobView(job, jobs_ahead, await self._outlook.remaining(job))

    async def watch(self, job_id: str, model_id: str = "") -> AsyncIterator[JobView]:
        """Yield the job as it is, then every change up to and with its end; raises UnknownJob."""
        job_id = (await self.get(job_id, model_id)).job.id
        with self._board.watching(job_id) as watch:
            shown = await self._watched(watch, job_id)
            yield shown
            while not shown.job.finished:
                await watch.changes()
                view = await self._watched(watch, job_id)
                if view.differs_from(shown):
                    shown = view
                    yield view

    async def _watched(self, watch: Watch, job_id: str) -> JobView:
        """Return the job as it is, and have the queue's moves told from before that on while it waits."""
        watch.waits = True
        view = await self.get(job_id)
        watch.waits = view.waits
        return view

    async def watch_all(self) -> AsyncIterator[News]:
        """Yield the models and every unfinished job as they are, then what changes, again and again.

        Of the jobs, only what a poll would show counts as a change.
        """
        with self._board.watching(polls_only=True) as watch:
            yield News(await self._hop.run(self._store.jobs.unfinished), models=True)
            while True:
                changes = await watch.changes()
                changed = await self.known(changes.job_ids) if changes.job_ids else []
                yield News([*changed, *changes.ended.values()], changes.models, changes.access)

    @asynccontextmanager
    async def result(self, job_id: str, model_id: str = "") -> AsyncIterator[tuple[Job, BinaryIO]]:
        """Give the job and the file with its ModelOutput, open while the context lasts.

        Raises:
            UnknownJob: there is no such job.
            StillProcessing: it has not ended.
            NoResult: it ended without a result, or its retention is over.
        """
        job, file = await self._hop.complete(self._result, job_id, model_id)
        with file:
            yield job, file

    async def cancel(self, job_id: str, model_id: str = "") -> JobView:
        """End the job and its run; a job that has ended stays as it is. Raises UnknownJob."""
        # A caller that goes away in the middle must not leave a run without its job.
        return await asyncio.shield(self._cancel(job_id, model_id))

    async def keep_feedback(self, segmentation_id: str, body: bytes) -> bool:
        """Keep a serialized SegmentationFeedback; return whether it names a job that is known."""
        return await self._keep(OpinionKind.FEEDBACK, segmentation_id, body)

    async def keep_telemetry(self, segmentation_id: str, body: bytes) -> bool:
        """Keep a serialized SegmentationTelemetry; return whether it names a job that is known."""
        return await self._keep(OpinionKind.TELEMETRY, segmentation_id, body)

    async def _keep(self, kind: OpinionKind, segmentation_id: str, body: bytes) -> bool:
        caller = access.current.get()
        owner = caller.principal if self._owned and caller.scope < Scope.OPERATOR else None
        entry = entry_now(self._store, f"{kind}.send", "job", "")
        await self._hop.run(self._check_room)
        return await self._hop.run(self._store.opinions.add, kind, segmentation_id, body, owner, entry)

    def _check_room(self) -> None:
        """Raise DiskFull where more would fill the disk: a client may say as much as it likes."""
        if self._store.media.free_bytes() < self._free_disk_min_bytes:
            raise errors.DiskFull("Too little disk is free to keep what is said of jobs; make room first.")

    async def _cancel(self, job_id: str, model_id: str) -> JobView:
        before = (await self.get(job_id, model_id)).job
        job = await self._hop.run(self._store.jobs.cancel, before.id)
        if not before.finished:
            log.info("job cancelled", extra={"cancelled": job.id})
            self._board.publish_end(job)
            await self._dispatcher.drop(job)
        return JobView(job)

    def _result(self, job_id: str, model_id: str) -> tuple[Job, BinaryIO]:
        job = self._find(job_id, model_id)
        if not job.finished:
            raise errors.StillProcessing
        if job.state is not JobState.SUCCEEDED:
            raise errors.NoResult(f"The segmentation has no result: {job.error_text or 'it was cancelled.'}")
        try:
            return job, self._store.media.result_path(job.id).open("rb")
        except FileNotFoundError:
            raise errors.NoResult("The segmentation's masks are gone: their retention is over.") from None

    def _find(self, job_id: str, model_id: str) -> Job:
        """Return the job if it exists for the caller; whatever is told of one job is found here."""
        job = self._store.jobs.get(job_id, model_id)
        if self._owned and not access.current.get().sees(job.owner):
            raise errors.UnknownJob
        return job

    async def known(self, job_ids: Collection[str]) -> list[Job]:
        """Return those of the jobs that are still there, as they are."""
        return await self._hop.run(self._store.jobs.known, job_ids)

    def _seen(self, job_id: str, model_id: str) -> tuple[Job, int]:
        job = self._find(job_id, model_id)
        return job, self._store.jobs.jobs_ahead(job)
