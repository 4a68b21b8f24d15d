"""Who waits for which job: that a job has changed is put up here, and its watchers take it down.

The core is the only process that changes jobs, so nothing polls: whoever changes one publishes its id.
What the job is by then the watcher reads from the store: two changes may be published in another order
than they were made in. How a job ended is told with the change, for it stays so. A watcher that is slow sees
the newest state instead of every state, and always the final one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from segint_grpc import errors
from segint_grpc.domain.jobs import Job

QUEUE_NEWS_S = 1.0
"""How long after a change those who wait are told of it: many jobs may end in a second, and many may wait."""


@dataclass(frozen=True)
class Changes:
    """What has changed: jobs, by their ids, the offered models, who may do what, the queue.

    `ended` has the jobs that have ended, as they did, by their ids.
    """

    job_ids: set[str] = field(default_factory=set)
    ended: dict[str, Job] = field(default_factory=dict)
    models: bool = False
    access: bool = False
    queue: bool = False


class Watch:
    """What has changed since one watcher last looked."""

    def __init__(self, job_id: str = "", polls_only: bool = False) -> None:
        """Watch one job, or everything where `job_id` is empty; see `Board.watching`."""
        self.waits = False
        """Whether a job that is watched waits, so that the queue matters to whoever watches."""
        self._job_id = job_id
        self._polls_only = polls_only
        self._job_ids: set[str] = set()
        self._ended: dict[str, Job] = {}
        self._models = False
        self._access = False
        self._queue = False
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, job_id: str, *, quiet: bool = False) -> None:
        """Note that the job has changed; a `quiet` change shows in no poll."""
        concerned = self._job_id in ("", job_id) and not (quiet and self._polls_only)
        if concerned and job_id not in self._ended:
            self._job_ids.add(job_id)
            self._changed.set()

    def put_end(self, job: Job) -> None:
        """Note how the job has ended."""
        if self._job_id in ("", job.id):
            self._job_ids.discard(job.id)
            self._ended[job.id] = job
            self._changed.set()

    def put_models(self) -> None:
        """Note that the offered models have changed, for one that watches everything."""
        if not self._job_id:
            self._models = True
            self._changed.set()

    def put_access(self) -> None:
        """Note that who may do what has changed, for one that watches everything."""
        if not self._job_id:
            self._access = True
            self._changed.set()

    def put_queue(self) -> None:
        """Note that the queue has moved, for one that waits."""
        if self.waits:
            self._queue = True
            self._changed.set()

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self._changed.set()

    async def changes(self) -> Changes:
        """Return what has changed since the last call, once something has.

        Raises:
            Unavailable: the server stops, and everything before that has been told.
        """
        await self._changed.wait()
        changes = Changes(self._job_ids, self._ended, self._models, self._access, self._queue)
        if changes == Changes():
            raise errors.Unavailable("The server is stopping; watch again in a moment.")
        self._job_ids, self._ended = set(), {}
        self._models = self._access = self._queue = False
        if not self._closed:
            self._changed.clear()
        return changes


class Board:
    """Tells whoever watches a job that it has changed. Lives on the event loop's thread."""

    def __init__(self) -> None:
        """Start without watchers."""
        self._watches: set[Watch] = set()
        self._moving: asyncio.TimerHandle | None = None
        self._closed = False

    def publish(self, job_id: str, *, quiet: bool = False) -> None:
        """Tell the watchers of the job that the store holds another state of it.

        A change is `quiet` when neither the percentage nor the error that a poll tells is another.
        """
        for watch in self._watches:
            watch.put(job_id, quiet=quiet)
        self._expect_moves()

    def publish_end(self, job: Job) -> None:
        """Tell the watchers of the job how it has ended."""
        for watch in self._watches:
            watch.put_end(job)
        self._expect_moves()

    def _expect_moves(self) -> None:
        """See to it that those who wait hear, a little later, that the queue has moved."""
        if self._moving is None and any(watch.waits for watch in self._watches):
            self._moving = asyncio.get_running_loop().call_later(QUEUE_NEWS_S, self._move_queue)

    def _move_queue(self) -> None:
        """Tell those who wait that something has changed before them."""
        self._moving = None
        for watch in self._watches:
            watch.put_queue()

    def publish_models(self) -> None:
        """Tell those who watch everything that the offered models have changed."""
        for watch in self._watches:
            watch.put_models()

    def publish_access(self) -> None:
        """Tell those who watch everything that a token or a user counts no more as it did."""
        for watch in self._watches:
            watch.put_access()

    @contextmanager
    def watching(self, job_id: str = "", *, polls_only: bool = False) -> Iterator[Watch]:
        """Give what is published from here on of one job, or of everything where `job_id` is empty.

        With `polls_only`, changes that no poll would show are left out.
        """
        watch = Watch(job_id, polls_only)
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
        if self._moving is not None:
            self._moving.cancel()
        for watch in self._watches:
            watch.close()
