"""Who waits for which job: every change of a job is put up here, and its watchers take it down.

The core is the only process that changes jobs, so nothing polls: whoever changes one publishes it. A
watcher that is slow sees the newest state instead of every state, and always the final one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from segint_grpc import errors
from segint_grpc.domain.jobs import Job


@dataclass(frozen=True)
class News:
    """Jobs that have changed, as they now are, and whether the offered models have."""

    jobs: list[Job]
    models: bool = False


class Watch:
    """What one watcher has not read yet: the newest state of each job that it watches."""

    def __init__(self, job_id: str = "") -> None:
        """Watch one job, or every job where `job_id` is empty."""
        self.job_id = job_id
        self._jobs: dict[str, Job] = {}
        self._models = False
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, job: Job) -> None:
        """Note `job` in place of a state of it that was not read yet."""
        if self.job_id in ("", job.id):
            self._jobs[job.id] = job
            self._changed.set()

    def put_models(self) -> None:
        """Note that the offered models have changed, for one that watches everything."""
        if not self.job_id:
            self._models = True
            self._changed.set()

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self._changed.set()

    async def news(self) -> News:
        """Return what has changed since the last call, once something has.

        Raises:
            Unavailable: the server stops.
        """
        await self._changed.wait()
        if self._closed:
            raise errors.Unavailable("The server is stopping; watch again in a moment.")
        self._changed.clear()
        news = News(list(self._jobs.values()), self._models)
        self._jobs, self._models = {}, False
        return news

    async def until_finished(self) -> AsyncIterator[Job]:
        """Yield the changes of the one job, up to and with its end; raises as `news`."""
        finished = False
        while not finished:
            for job in (await self.news()).jobs:
                yield job
                finished = job.finished


class Board:
    """Hands the newest state of each job to whoever watches it. Lives on the event loop's thread."""

    def __init__(self) -> None:
        """Start without watchers."""
        self._watches: set[Watch] = set()
        self._closed = False

    def publish(self, job: Job) -> None:
        """Show `job` to its watchers."""
        for watch in self._watches:
            watch.put(job)

    def publish_models(self) -> None:
        """Tell those who watch everything that the offered models have changed."""
        for watch in self._watches:
            watch.put_models()

    @contextmanager
    def watching(self, job_id: str = "") -> Iterator[Watch]:
        """Give what is published from here on of one job, or of every job where `job_id` is empty."""
        watch = Watch(job_id)
        self._watches.add(watch)
        if self._closed:
            watch.close()
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def close(self) -> None:
        """End every watch, and those that are still to come."""
        self._closed = True
        for watch in self._watches:
            watch.close()
