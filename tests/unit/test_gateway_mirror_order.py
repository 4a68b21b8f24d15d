"""However news, questions and losses fall together, no answer goes back, and none stays behind for good."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway.mirror import Mirror

MODEL, JOB = "model", "0b54a1c2-97cf-4a0e-8b0e-1f5a6d1c2b3f"

Told = tuple[int, str]
"""Percent and error."""


def message(told: Told) -> Model_pb2.SegmentationProgress:
    return Model_pb2.SegmentationProgress(Progress=told[0], Errors=told[1])


def ended(told: Told) -> bool:
    return told[0] == 100 or bool(told[1])


class OneJob(RuleBasedStateMachine):
    """One job of a core that commits, publishes, pushes and answers at moments of its own."""

    questions = Bundle("questions")

    @initialize()
    def begin(self) -> None:
        self.mirror = Mirror()
        self.truth: Told = (0, "")
        self.unpublished: deque[Told] = deque()
        self.watch: Told | None = None  # what the core has for the stream: the newest state alone
        self.subscribed = False
        self.first_taken = False
        self.on_the_way: deque[pb.WatchJobsResponse] = deque()
        self.seen: list[Told] = []

    @precondition(lambda self: not ended(self.truth))
    @rule(change=st.sampled_from([(10, ""), (30, ""), (0, "died"), (100, "")]), at_once=st.booleans())
    def commit(self, change: Told, at_once: bool) -> None:
        step, error = change
        self.truth = (min(100, self.truth[0] + step), error)
        self.unpublished.append(self.truth)
        while at_once and self.unpublished:
            self.publish()

    @precondition(lambda self: self.unpublished)
    @rule()
    def publish(self) -> None:
        told = self.unpublished.popleft()
        if self.subscribed:
            self.watch = told

    @precondition(lambda self: not self.subscribed)
    @rule(at_once=st.booleans())
    def subscribe(self, at_once: bool) -> None:
        self.subscribed = True
        if at_once:
            self.push()
            self.arrive()

    @precondition(lambda self: self.subscribed)
    @rule()
    def push(self) -> None:
        """The first message holds the job as it is, unless it has ended; later ones hold what changed."""
        told = self.watch if self.first_taken else self.truth
        if not self.first_taken:
            self.first_taken = True
            self.on_the_way.append(self._news(None if ended(self.truth) else told))
        elif told is not None:
            self.watch = None
            self.on_the_way.append(self._news(told))

    @precondition(lambda self: self.on_the_way)
    @rule()
    def arrive(self) -> None:
        self.mirror.take(self.on_the_way.popleft())

    @precondition(lambda self: self.subscribed)
    @rule()
    def lose(self) -> None:
        self.mirror.lose()
        self.on_the_way.clear()
        self.subscribed = self.first_taken = False
        self.watch = None

    @rule(target=questions)
    def ask_and_be_answered(self) -> tuple[int, Told | None]:
        """A question whose answer is on its way for a while."""
        return self.mirror.round, self.truth

    @rule(target=questions)
    def ask(self) -> tuple[int, Told | None]:
        """A question that itself is on its way for a while."""
        return self.mirror.round, None

    @rule(question=consumes(questions))
    def hear(self, question: tuple[int, Told | None]) -> None:
        asked_in, told = question
        prepared = self.mirror.learn_job(JOB, MODEL, message(told or self.truth), asked_in)
        self._see(prepared.protobuf)

    @invariant()
    def poll(self) -> None:
        prepared = self.mirror.job(JOB, MODEL)
        if prepared is not None:
            self._see(prepared.protobuf)
            if not (self.unpublished or self.watch or self.on_the_way):
                assert self.seen[-1] == self.truth

    def _see(self, answer: bytes) -> None:
        progress = Model_pb2.SegmentationProgress.FromString(answer)
        told = (progress.Progress, progress.Errors)
        if self.seen:
            before = self.seen[-1]
            assert told == before or not ended(before)
            assert told[0] >= before[0]
        self.seen.append(told)

    def _news(self, told: Told | None) -> pb.WatchJobsResponse:
        if told is None:
            return pb.WatchJobsResponse()
        return pb.WatchJobsResponse(
            jobs=[pb.JobNews(segmentation_id=JOB, model_id=MODEL, progress=message(told))]
        )


OneJob.TestCase.settings = settings(max_examples=500, stateful_step_count=25, deadline=None)
TestNoAnswerGoesBack = OneJob.TestCase
