"""Runs jobs: each slot claims the oldest waiting job, has a worker run it, and finishes it.

What ends a run decides what becomes of the job: the model's own failure fails it, a death from outside or
the server's stop puts it back into the queue, and a cancelled job is already CANCELLED when its run ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from generated.radiomics.Model_pb2 import ModelVersion
from segint_grpc import errors, logs
from segint_grpc.domain.jobs import Job, Lease, Result
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import OUTAGES, RETRY_S
from segint_grpc.service.models import Models
from segint_grpc.service.reports import Reports
from segint_grpc.service.run_tasks import channel_tasks, model_task
from segint_grpc.service.unpacking import Unpacking, as_job_failure
from segint_grpc.service.usual_volumes import with_unusual_volumes
from segint_grpc.store.media import MediaKind
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import RunTask

log = logging.getLogger(__name__)

LEASE_S = 30.0


class Dispatcher:
    """Keeps every slot of `pool` busy while there are jobs."""

    def __init__(
        self,
        context: ServiceContext,
        models: Models,
        pool: WorkerPool,
        unpacking: Unpacking,
        work: asyncio.Event,
    ) -> None:
        """Prepare; whoever queues a job sets `work`."""
        self._context = context
        self._jobs = context.store.jobs
        self._media = context.store.media
        self._hop = context.hop
        self._history = context.history
        self._models = models
        self._pool = pool
        self._unpacking = unpacking
        self._work = work
        self._slots: list[asyncio.Task[None]] = []
        self._runs: dict[Lease, asyncio.Task[None]] = {}
        self._claims = 0
        self._dropped: set[str] = set()
        self._stopping = False

    @property
    def slots(self) -> int:
        """How many jobs can run at the same time."""
        return len(self._slots)

    @property
    def busy(self) -> int:
        """How many slots run a job."""
        return len(self._runs)

    def start(self, slots: int) -> None:
        """Begin to claim jobs with `slots` slots."""
        self._slots = [asyncio.create_task(self._serve_slot(f"slot-{n}")) for n in range(slots)]

    async def stop(self) -> None:
        """Put running jobs back into the queue and end their processes."""
        self._stopping = True
        # A task that is cancelled before its first step does nothing, not even put its job back.
        await asyncio.sleep(0)
        for task in [*self._runs.values(), *self._slots]:
            task.cancel()
        await asyncio.gather(*self._runs.values(), *self._slots, return_exceptions=True)

    async def renew(self) -> None:
        """Keep the leases of all runs, and end a run that has lost its own: its job was ended without it.

        Called before leases that have lapsed are looked for, so that no pause of this machine and no jump
        of its clock takes a job from a run that goes on.
        """
        for lease, run in list(self._runs.items()):
            try:
                await self._hop.run(self._jobs.renew, lease, LEASE_S)
            except errors.StaleLease:
                run.cancel()

    async def drop(self, job: Job) -> None:
        """End the run of a job that has been cancelled, and its voxels; returns when its process is gone."""
        if self._claims:
            # The claim of a slot that has not heard of its job yet may have come before the job's end.
            self._dropped.add(job.id)
        runs = [run for lease, run in self._runs.items() if lease.job_id == job.id]
        for run in runs:
            run.cancel()
        if runs:
            await asyncio.wait(runs)
        await self._unpacking.drop(job.id)

    async def _serve_slot(self, slot: str) -> None:
        while not self._stopping:
            self._work.clear()
            claimed = await self._claim(slot)
            if claimed is None:
                await self._work.wait()
                continue
            self._work.set()
            job, lease = claimed
            if self._was_dropped(job):
                continue
            run = asyncio.create_task(self._run(slot, job, lease), name=f"run-{job.id}")
            self._runs[lease] = run
            await asyncio.wait([run])
            del self._runs[lease]

    def _was_dropped(self, job: Job) -> bool:
        """Return whether `job` was ended between its claim and now, when nobody knew of the run yet."""
        dropped = job.id in self._dropped
        if not self._claims:
            self._dropped.clear()
        return dropped

    async def _claim(self, slot: str) -> tuple[Job, Lease] | None:
        self._claims += 1
        try:
            prefer = self._pool.idle_versions()
            claimed = await self._hop.complete(self._jobs.claim, slot, LEASE_S, prefer)
        except Exception as error:
            log.error("no job could be claimed: %s", error, exc_info=not isinstance(error, OUTAGES))
            await asyncio.sleep(RETRY_S)
            self._work.set()
            return None
        finally:
            self._claims -= 1
        if claimed and self._stopping:
            await self._hop.complete(self._jobs.release, claimed[1])
            return None
        return claimed

    async def _run(self, slot: str, job: Job, lease: Lease) -> None:
        """Run `job` once and record how the run ended."""
        logs.job_id.set(job.id)
        logs.request_id.set(job.request_id)
        log.info("run begins", extra={"slot": slot, "attempt": job.attempt, "model": job.model_id})
        try:
            await self._settle(await self._ending(slot, job, lease))
        except Exception:
            log.exception("the end of a run could not be recorded; its lease will lapse")

    async def _ending(self, slot: str, job: Job, lease: Lease) -> Job:
        """Attempt the job; return it as the store has it once its run has ended, however it did."""
        verdict: Callable[[], Job]
        try:
            return await self._attempt(slot, job, lease)
        except asyncio.CancelledError:
            verdict = partial(self._jobs.release, lease)
        except errors.StaleLease:
            verdict = partial(self._jobs.get, job.id)
        except errors.RunCutShort as error:
            attempts_max = self._context.settings.attempts_max
            verdict = partial(self._jobs.cut_short, lease, error.message, attempts_max)
        except Exception as error:
            failure = as_job_failure(error)
            verdict = partial(self._jobs.fail, lease, failure.error_code, failure.message)
        return await self._hop.insist(self._record, verdict, job.id)

    def _record(self, verdict: Callable[[], Job], job_id: str) -> Job:
        """Apply `verdict`, unless the job has gone on without its run: cancelled, or given to another."""
        try:
            return verdict()
        except errors.StaleLease:
            return self._jobs.get(job_id)

    async def _settle(self, job: Job) -> None:
        log.info("run ended", extra={"state": job.state, "error_code": job.error_code})
        if job.finished:
            self._context.board.publish_end(job)
            await self._unpacking.drop(job.id)
        else:
            self._context.board.publish(job.id)
            self._work.set()

    async def _attempt(self, slot: str, job: Job, lease: Lease) -> Job:
        remaining_s = (job.deadline_at - datetime.now(UTC)).total_seconds()
        temporary = self._media.temporary(MediaKind.RESULT)
        try:
            async with asyncio.timeout(remaining_s), Reports(self._context, job, lease) as reports:
                task = await self._describe(job, temporary)
                result = await self._pool.run(slot, task, reports.take)
            result = replace(result, times=reports.times(task.model.revision))
            version = ModelVersion.FromString(task.model.version)
            result = with_unusual_volumes(result, version, await self._history.volumes_ml(job.model_id))
            ended = await self._hop.complete(self._keep, temporary, lease, result)
            self._history.add(job.model_id, result, hurried=job.hurried)
            return ended
        except TimeoutError:
            limit_s = (job.deadline_at - job.submitted_at).total_seconds()
            raise errors.DeadlineExceeded(
                f"The segmentation did not finish within {limit_s:.0f} s of its posting."
            ) from None
        finally:
            temporary.unlink(missing_ok=True)

    def _keep(self, temporary: Path, lease: Lease, result: Result) -> Job:
        """Make the result durable, then the success; where one fails neither stays."""
        try:
            self._media.publish(temporary, self._media.result_path(lease.job_id))
            return self._jobs.succeed(lease, result)
        except BaseException:
            self._media.remove_result(lease.job_id)
            raise

    async def _describe(self, job: Job, result: Path) -> RunTask:
        model = await self._models.resolve(job.model_id, posted=True)
        files = await self._unpacking.voxels(job.id)
        return RunTask(
            job_id=job.id,
            attempt=job.attempt,
            request_id=job.request_id,
            model=model_task(model, hurried=job.hurried),
            channels=channel_tasks(model, files),
            result=result,
        )
