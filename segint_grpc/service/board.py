"""Who waits for which job: every change of a job is put up here, and its watchers take it down.

The core is the only process that changes jobs, so nothing polls: whoever changes one publishes it. A
watcher that is slow sees the newest state instead of every state, and always the final one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from segint_grpc import errors
from segint_grpc.domain.jobs import Job


class Board:
    """Hands the newest state of each job to whoever watches it. Lives on the event loop's thread."""

    def __init__(self) -> None:
        """Start without watchers."""
        self._watchers: defaultdict[str, set[asyncio.Queue[Job | None]]] = defaultdict(set)
        self._closed = False

    def publish(self, job: Job) -> None:
        """Show `job` to its watchers in place of a state that they have not read yet."""
        for queue in self._watchers.get(job.id, ()):
            _replace(queue, job)

    @contextmanager
    def watching(self, job_id: str) -> Iterator[AsyncIterator[Job]]:
        """Give the states of a job that are published from here on, up to and with the final one.

        Its iterator raises Unavailable when the server stops before the job has ended.
        """
        queue: asyncio.Queue[Job | None] = asyncio.Queue(1)
        self._watchers[job_id].add(queue)
        try:
            yield self._changes(queue)
        finally:
            self._watchers[job_id].discard(queue)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _changes(self, queue: asyncio.Queue[Job | None]) -> AsyncIterator[Job]:
        while not self._closed and (job := await queue.get()) is not None:
            yield job
            if job.finished:
                return
        raise errors.Unavailable("The server is stopping; watch the job again in a moment.")

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        for queues in self._watchers.values():
            for queue in queues:
                _replace(queue, None)


def _replace(queue: asyncio.Queue[Job | None], job: Job | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(job)
