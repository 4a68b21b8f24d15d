"""Administration of the jobs: every one can be listed, followed, run again and removed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.job_lists import JobFilter, JobStory, Place
from segint_grpc.domain.jobs import Job
from segint_grpc.domain.timeline import EventKind
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.dispatcher import Dispatcher
from segint_grpc.service.job_view import JobView
from segint_grpc.service.jobs import Jobs
from segint_grpc.service.outlook import Outlook
from segint_grpc.service.submission import Posting, Submissions

log = logging.getLogger(__name__)

CHUNK_BYTES = 1024 * 1024
FOLLOWED_AT_ONCE = 200


@dataclass(frozen=True)
class StoryView:
    """A job's story, and the job as it is seen now."""

    story: JobStory
    view: JobView


class _Followed:
    """The jobs that somebody follows: those that go on, and those among them that wait."""

    def __init__(self, wanted: JobFilter) -> None:
        self._wanted = wanted
        self._fitting: set[str] = set()
        self._waiting: dict[str, JobView] = {}

    @property
    def waiting(self) -> set[str]:
        return set(self._waiting)

    def concerns(self, job: Job) -> bool:
        return job.id in self._fitting or self._wanted.fits(job)

    def note(self, views: Sequence[JobView]) -> None:
        job_ids = {view.job.id for view in views}
        going_on = {view.job.id for view in views if self._wanted.fits(view.job) and not view.job.finished}
        self._fitting = self._fitting - job_ids | going_on
        for view in views:
            self._waiting.pop(view.job.id, None)
            if view.job.id in going_on and view.waits:
                self._waiting[view.job.id] = view

    def news(self, views: Sequence[JobView]) -> list[JobView]:
        """Return those of `views` that are not what was shown of a job that waits."""
        shown = self._waiting
        return [view for view in views if view.job.id not in shown or view.differs_from(shown[view.job.id])]


class JobAdministration:
    """Every use case around jobs that are not the caller's own."""

    def __init__(
        self,
        context: ServiceContext,
        jobs: Jobs,
        submissions: Submissions,
        dispatcher: Dispatcher,
        outlook: Outlook,
    ) -> None:
        """Work on the store; what is run again is posted through `submissions`."""
        self._store = context.store
        self._hop = context.hop
        self._board = context.board
        self._history = context.history
        self._retention_s = context.settings.failed_body_retention_s
        self._jobs = jobs
        self._submissions = submissions
        self._dispatcher = dispatcher
        self._outlook = outlook

    async def page(self, wanted: JobFilter, after: Place | None, limit: int) -> list[JobView]:
        """Return up to `limit` of the jobs that `wanted` asks for, newest first, from behind `after` on."""
        return await self._outlook.views(await self._hop.run(self._store.jobs.page, wanted, after, limit))

    async def story(self, job_id: str) -> StoryView:
        """Return a job with its timeline and runs; raises UnknownJob."""
        story = await self._hop.run(self._store.jobs.story, job_id)
        return StoryView(story, (await self._outlook.views([story.job]))[0])

    async def follow(self, wanted: JobFilter) -> AsyncIterator[list[JobView]]:
        """Yield the jobs that `wanted` asks for as they are, newest first, then what changes of them.

        The change by which a job ceases to fit is among them, so that whoever follows the running jobs
        sees them end. Ends only with the server.
        """
        with self._board.watching() as watch:
            followed, watch.waits = _Followed(wanted), True
            async for views in self._as_they_are(wanted):
                followed.note(views)
                yield views
            while True:
                changes = await watch.changes()
                job_ids = (
                    changes.job_ids | changes.ended.keys() | (followed.waiting if changes.queue else set())
                )
                known = [job for job in await self._jobs.known(job_ids) if followed.concerns(job)]
                news = followed.news(await self._outlook.views(known))
                if news:
                    followed.note(news)
                    yield news

    async def cancel(self, job_id: str) -> JobView:
        """End a job; one that has ended stays as it is. Raises UnknownJob."""
        return await self._jobs.cancel(job_id)

    async def retry(self, job_id: str, model_id: str = "") -> JobView:
        """Post the stored body of an ended job again, for the same version or for `model_id`, as a new job.

        Asked twice while that one is unfinished, it is the same new job.

        Raises:
            UnknownJob: there is no such job.
            StillProcessing: it has not ended.
            NoInput: its body is gone.
            UnknownModel, UnusableInput, QueueFull, DiskFull: as for any scan that is posted.
        """
        old = (await self._jobs.get(job_id)).job
        if not old.finished:
            raise errors.StillProcessing("The segmentation is still processing; it needs no retry.")
        _, path = await self.input(old.id)
        posting = Posting(model_id or old.model_id, old.caller, old.body_bytes, old.owner)
        new, repeated = await self._submissions.submit(posting, self._read(path))
        if not repeated:
            log.info("job posted again", extra={"retried": old.id, "as": new.id})
            await self._hop.run(self._store.jobs.note, new.id, EventKind.RETRY, f"of {old.id}")
            await self._hop.run(self._store.jobs.note, old.id, EventKind.RETRY, f"as {new.id}")
        return await self._jobs.get(new.id)

    async def delete(self, job_id: str) -> None:
        """Remove an ended job: its body, its masks, what was said of it and what is known of it.

        Raises:
            UnknownJob: there is no such job.
            StillProcessing: it has not ended.
        """
        job = (await self._jobs.get(job_id)).job
        if not job.finished:
            raise errors.StillProcessing("The segmentation is still processing; cancel it first.")
        # Its run may be about to clean up after itself.
        await self._dispatcher.drop(job)
        await self._hop.complete(self._delete, job.id)
        self._history.forget(job.model_id)
        log.info("job deleted", extra={"deleted": job.id})

    async def input(self, job_id: str) -> tuple[Job, Path]:
        """Return a job and the file with its posted ModelInput.

        Raises:
            UnknownJob: there is no such job.
            NoInput: its body is gone.
        """
        job = (await self._jobs.get(job_id)).job
        path = self._store.media.body_path(job.id)
        if not job.body_kept or not await self._hop.run(path.exists):
            raise errors.NoInput(self._gone())
        return job, path

    def _gone(self) -> str:
        hours = f"{self._retention_s / 3600:g}"
        return (
            "The scan of this segmentation is gone: it is kept until the job ends, and after a failure for "
            f"{hours} h (setting failed_body_retention_s). Post it again."
        )

    async def _as_they_are(self, wanted: JobFilter) -> AsyncIterator[list[JobView]]:
        after = None
        while views := await self.page(wanted, after, FOLLOWED_AT_ONCE):
            yield views
            after = Place.of(views[-1].job)

    async def _read(self, path: Path) -> AsyncIterator[bytes]:
        try:
            file = await self._hop.run(path.open, "rb")
        except FileNotFoundError:
            raise errors.NoInput(self._gone()) from None
        with file:
            while chunk := await self._hop.run(file.read, CHUNK_BYTES):
                yield chunk

    def _delete(self, job_id: str) -> None:
        """Remove the files first: a server that dies between leaves a job that can be deleted again."""
        media = self._store.media
        media.remove_body(job_id)
        media.remove_result(job_id)
        media.remove_voxels(job_id)
        self._store.jobs.delete(job_id)
        self._store.erase()
