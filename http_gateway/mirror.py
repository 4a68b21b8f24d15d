"""What the gateway can answer by itself: the models, how far the jobs are, and the core's fixed words.

The core pushes the models and every change of a job over one stream (see `follower`). What is kept here
counts only while that stream lasts; without it, and for whatever is not here, the core is asked.

A round lasts from a stream's first message to the stream's loss. What the core answers to a question that
was asked during a round counts until that round ends, since the stream tells of every later change. An
answer to a question from before may have missed one: it only marks what a job must not fall behind.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway.identities import Identities
from http_gateway.prepared import Prepared

MODELS = "models"
PING = "ping"
CREDITS = "credits"
"""Questions whose answer is the same for everybody."""

NO_ROUND = 0
JOBS_MAX = 10_000
KEPT_S = 3600.0
"""A job that has not changed for this long is forgotten; whoever still asks for it gets the core's word."""


@dataclass(slots=True)
class _Job:
    """A job as it was last heard of, and the last round in which the core's word on it counted."""

    model_id: str
    percent: int
    ended: bool
    prepared: Prepared
    round: int
    changed_at_s: float
    owner: str | None
    """The principal whose job it is; None where that was not heard yet."""


class Mirror:
    """Keeps what the core said. Lives on the event loop's thread."""

    def __init__(self, jobs_max: int = JOBS_MAX, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet; keep `jobs_max` jobs at most. `clock` gives seconds."""
        self.round = NO_ROUND
        """The round that lasts now, or `NO_ROUND`; to be noted before the core is asked."""
        self._rounds = NO_ROUND
        self._jobs_max = jobs_max
        self._clock = clock
        self._jobs: OrderedDict[str, _Job] = OrderedDict()  # the one that changed longest ago comes first
        self._words: dict[str, Prepared] = {}
        self.identities = Identities()

    def word(self, name: str) -> Prepared | None:
        """Return what the core answers to the question `name`; None where it has to be asked."""
        return self._words.get(name)

    def learn_word(self, name: str, message: Message, asked_in: int) -> Prepared:
        """Return `message`, which the core answers to `name`; keep it if the round `asked_in` lasts still."""
        prepared = Prepared(message)
        if asked_in == self.round != NO_ROUND:
            self._words[name] = prepared
        return prepared

    def job(self, segmentation_id: str, model_id: str, viewer: str | None = None) -> Prepared | None:
        """Return how far a job of exactly this model is; None where the core has to be asked.

        So it has to where the job is not that of `viewer`, a principal, if there is one: what a stranger to a
        job is told, only the core says. `segmentation_id` may be in any case, with or without dashes.
        """
        job = self._jobs.get(segmentation_id) or self._jobs.get(_canonical(segmentation_id))
        if job is None or job.model_id != model_id or not job.round == self.round != NO_ROUND:
            return None
        return job.prepared if viewer in (None, job.owner) else None

    def learn_job(
        self,
        segmentation_id: str,
        model_id: str,
        told: Model_pb2.SegmentationProgress,
        asked_in: int,
        owner: str | None = None,
    ) -> Prepared:
        """Return how far a job is now that the core has `told` so, asked in the round `asked_in`.

        That is what it told, unless something was heard meanwhile that a job cannot go back from.
        `segmentation_id` is as the core writes it. `owner` is the principal whose job it is, where that is
        known.
        """
        job = self._jobs.get(segmentation_id)
        if job is None or _can_follow(job, told):
            job = self._replace(segmentation_id, model_id, told, job)
        job.round = max(job.round, asked_in)
        job.owner = owner or job.owner
        return job.prepared

    def take(self, news: pb.WatchJobsResponse) -> None:
        """Take in one message of the stream; the first one begins a round."""
        if self.round == NO_ROUND:
            self._rounds += 1
            self.round = self._rounds
            self.identities.begin()
        if news.access_changed:
            self.identities.begin()
        if news.HasField("models"):
            self.learn_word(MODELS, news.models, self.round)
        for job in news.jobs:
            self.learn_job(job.segmentation_id, job.model_id, job.progress, self.round, job.owner)

    def lose(self) -> None:
        """End the round: the stream is lost."""
        self.round = NO_ROUND
        self._words.clear()
        self.identities.end()

    def _replace(
        self,
        segmentation_id: str,
        model_id: str,
        told: Model_pb2.SegmentationProgress,
        before: _Job | None,
    ) -> _Job:
        now_s = self._clock()
        last_round, owner = (before.round, before.owner) if before else (NO_ROUND, None)
        job = _Job(model_id, told.Progress, _has_ended(told), Prepared(told), last_round, now_s, owner)
        self._jobs[segmentation_id] = job
        self._jobs.move_to_end(segmentation_id)
        while len(self._jobs) > self._jobs_max or self._oldest().changed_at_s < now_s - KEPT_S:
            self._jobs.popitem(last=False)
        return job

    def _oldest(self) -> _Job:
        return next(iter(self._jobs.values()))


def _canonical(segmentation_id: str) -> str:
    """Return the id as the core writes it, and any other text as it is."""
    try:
        return str(uuid.UUID(segmentation_id))
    except ValueError:
        return segmentation_id


def _can_follow(before: _Job, told: Model_pb2.SegmentationProgress) -> bool:
    return not before.ended and (_has_ended(told) or told.Progress >= before.percent)


def _has_ended(told: Model_pb2.SegmentationProgress) -> bool:
    return told.Progress == 100 or bool(told.Errors)
