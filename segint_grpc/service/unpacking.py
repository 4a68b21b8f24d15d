"""From a durable body to checked voxels: a RECEIVED job becomes QUEUED, or FAILED with the API's code.

The voxels are a cache. After a restart they are gone and are made again from the body.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import cache, partial

from generated.radiomics import Model_pb2
from segint_grpc import errors, logs
from segint_grpc.domain.jobs import Job
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.hop import Hop
from segint_grpc.wire.volume_decoder import VolumeDecoder
from segint_grpc.wire.volumes import DimensionsChanged, Limits, VoxelFile, check_volumes, decode_body

log = logging.getLogger(__name__)

CLIENT_MISTAKES = (errors.InvalidRequest, errors.TooLarge)


class Unpacking:
    """Keeps the voxel files of each unfinished job at hand."""

    def __init__(self, context: ServiceContext, wake: Callable[[], None]) -> None:
        """Work on the store; `wake` is called whenever a job has become QUEUED."""
        self._store = context.store
        self._board = context.board
        self._limits = Limits(context.settings.channels_max, context.settings.voxels_max)
        self._wake = wake
        self._hop = Hop("segint-unpack", threads=4)
        self._files: dict[str, list[VoxelFile]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, job: Job, message: Model_pb2.ModelInput, decoder: VolumeDecoder) -> None:
        """Wait for `decoder`, check its volumes against `message` and queue the job, in the background."""

        def unpack() -> list[VoxelFile]:
            try:
                return check_volumes(message, decoder.finish(), self._limits.voxels_max)
            except DimensionsChanged:
                return self._decode(job.id)

        self._start(self._queue(job, unpack))

    def resume(self, job: Job) -> None:
        """Unpack the stored body of a job that was RECEIVED when the server ended, in the background."""
        self._start(self._queue(job, lambda: self._decode(job.id)))

    async def voxels(self, job_id: str) -> list[VoxelFile]:
        """Return a job's voxel files in the order of its channels, made again where they are gone.

        Raises:
            JobFailure: the body cannot be unpacked, for instance because the disk is full.
        """
        # A caller that is cancelled drops the voxels next, and must find all of them written.
        files = await self._hop.complete(self._present, job_id)
        self._files[job_id] = files
        return files

    async def drop(self, job_id: str) -> None:
        """Remove the voxel files of a job that has ended."""
        self._files.pop(job_id, None)
        await self._hop.complete(self._store.media.remove_voxels, job_id)

    async def close(self) -> None:
        """Stop what is under way; the jobs stay RECEIVED and are taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hop.__exit__(None, None, None)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _queue(self, job: Job, unpack: Callable[[], list[VoxelFile]]) -> None:
        logs.job_id.set(job.id)
        verdict = cache(partial(self._checked, job.id, unpack))
        try:
            job = await self._hop.insist(lambda: verdict()())
        except errors.StaleLease:
            log.info("the job was ended while it was unpacked")
            await self.drop(job.id)
            return
        if job.finished:
            await self.drop(job.id)
        self._board.publish(job.id, quiet=not job.finished)
        self._wake()

    def _checked(self, job_id: str, unpack: Callable[[], list[VoxelFile]]) -> Callable[[], Job]:
        """Unpack; return what makes the job QUEUED or, where its voxels are of no use, FAILED."""
        jobs = self._store.jobs
        try:
            self._files[job_id] = unpack()
        except Exception as error:
            failure = as_job_failure(error)
            return partial(jobs.fail_unclaimed, job_id, failure.error_code, failure.message)
        return partial(jobs.queue, job_id)

    def _present(self, job_id: str) -> list[VoxelFile]:
        files = self._files.get(job_id)
        return files if files and all(file.path.exists() for file in files) else self._decode(job_id)

    def _decode(self, job_id: str) -> list[VoxelFile]:
        """Unpack the stored body."""
        media = self._store.media
        try:
            return decode_body(
                media.body_path(job_id), lambda channel: media.voxel_path(job_id, channel), self._limits
            )
        except FileNotFoundError:
            raise errors.JobFailure("The posted scan is gone from the disk; post it again.") from None


def as_job_failure(error: Exception) -> errors.JobFailure:
    """Return `error` as what the job's owner is told; the traceback of the unexpected goes to the log."""
    if isinstance(error, errors.JobFailure):
        # A model may say what is no Unicode text; neither the database nor protobuf would take it.
        return type(error)(error.message.encode("utf-8", "replace").decode())
    if isinstance(error, errors.SegIntError):
        log.info("job failed: %s", error.message)
        kind = errors.ClientMistake if isinstance(error, CLIENT_MISTAKES) else errors.JobFailure
        return kind(error.message)
    if isinstance(error, OSError):
        log.error("job failed on a file", exc_info=error)
        return errors.JobFailure(f"The server could not keep the job's files ({error.strerror}).")
    log.error("job failed unexpectedly", exc_info=error)
    return errors.JobFailure("Something went wrong in the server; its log says more.")
