"""Hurries or refuses a job that cannot end before its deadline, instead of failing it once that is past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.domain.hurry import cost_share, given_up
from segint_grpc.domain.jobs import Job, NewJob
from segint_grpc.domain.run_times import RUNS_ENOUGH, Expectation, RunModel
from segint_grpc.domain.spans import span
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.outlook import Outlook

OFF = "off"


@dataclass(frozen=True)
class Allowance:
    """What is known before a job's size is: its version's past, and how long until it has its turn, s.

    Either is None where it is not known, and the past where nobody is to be refused for it.
    """

    model: RunModel | None = None
    turn_s: float | None = None

    def expected(self, new: NewJob) -> Expectation | None:
        """Return what the job's run takes in its setting; None where the evidence is thin.

        It takes `RUNS_ENOUGH` runs, and as large a scan, or scans of enough sizes to show how time grows.
        """
        if self.model is None or not new.voxels:
            return None
        expected = self.model.expect(new.voxels, False, new.infer_share)
        return expected if expected.runs >= RUNS_ENOUGH and expected.within else None

    def permits(self, new: NewJob) -> bool:
        """Return whether nothing speaks against the job's end before its deadline."""
        expected = self.expected(new)
        return expected is None or (self.turn_s or 0.0) + expected.total_s <= left_s(new)


def left_s(new: NewJob) -> float:
    """Return how long a job has yet, s."""
    return (new.deadline_at - datetime.now(UTC)).total_seconds()


class TimeFit:
    """Holds what a version's runs took against the time that a job has. Lives on the event loop's thread."""

    def __init__(self, context: ServiceContext, outlook: Outlook) -> None:
        """Go by the history in `context` and, for the queue, by `outlook`."""
        self._settings = context.settings
        self._history = context.history
        self._outlook = outlook

    async def allowance(self, version_id: str, *, anew: bool = False) -> Allowance:
        """Return what a job of the version has to do with; the queue as it was a moment ago, or `anew`."""
        if self._settings.deadline_check == OFF:
            return Allowance()
        model = await self._history.times(version_id)
        return Allowance(model, await self._outlook.turn_s(anew=anew) if model else None)

    def reckon_with(self, job: Job, allowance: Allowance) -> None:
        """Count a job that has been taken in, until the queue is looked at again."""
        if allowance.model:
            self._outlook.reckon_with(job, allowance.model)

    async def check(self, new: NewJob, handling: ScanHandling) -> NewJob:
        """Let a job pass that is expected to end in time, or of which too little is known.

        As with memory it is refused for what is expected, not for what might be. One that would end in time
        in the hurried setting that `handling` has is returned in that, with a warning that says so.

        Raises:
            TakesTooLong: the run alone takes longer than the job has.
            QueueTooLong: it does with what is before it.
        """
        allowance = await self.allowance(new.model_id, anew=True)
        usual = allowance.expected(new)
        if usual is None or allowance.permits(new):
            return new
        hurried = replace(new, infer_share=cost_share(handling))
        shortest = allowance.expected(hurried) or usual
        case = _Case(hurried, usual, shortest, allowance.turn_s or 0.0, self._allowed(new))
        if hurried.infer_share < 1 and allowance.permits(hurried):
            return replace(hurried, warnings=(*new.warnings, case.warning(given_up(handling))))
        raise case.refusal()

    def _allowed(self, new: NewJob) -> str:
        allowed_s = (new.deadline_at - new.submitted_at).total_seconds()
        own = allowed_s < self._settings.job_deadline_s
        source = "its manifest's limits.deadline_s" if own else "setting job_deadline_s"
        return f"a job has {span(allowed_s)} from its posting ({source})"


@dataclass(frozen=True)
class _Case:
    """A job that does not end in time as usual, in the setting in which its run is the `shortest`.

    `allowed` says what it has, `turn_s` is how long until its turn.
    """

    job: NewJob
    usual: Expectation
    shortest: Expectation
    turn_s: float
    allowed: str

    def warning(self, given_up: str) -> str:
        """Return what is given up, and why, for the job's owner."""
        queue = f", after {span(self.turn_s)} for the segmentations before it" if self.turn_s else ""
        return (
            f"It runs in the hurried setting of {self.job.model_id!r}, with {given_up}: that is expected to "
            f"take {span(self.shortest.total_s)} instead of the usual {span(self.usual.total_s)}, from its "
            f"last {self.usual.runs} runs{queue}; {self.allowed}. The masks may be less exact than usual."
        )

    def refusal(self) -> errors.SegIntError:
        """Return why it is not taken, in any setting."""
        if self.shortest.total_s <= left_s(self.job):
            return errors.QueueTooLong(
                f"The segmentations before it are expected to take {span(self.turn_s)} and this "
                f"one {span(self.shortest.total_s)}, from the versions' last runs; {self.allowed}. "
                "Try again later."
            )
        even = f" ({span(self.shortest.total_s)} in its hurried setting)" if self.job.infer_share < 1 else ""
        return errors.TakesTooLong(
            f"The scan has {self.job.voxels} voxels, for which {self.job.model_id!r} is expected to take "
            f"{span(self.usual.total_s)}{even}, from its last {self.usual.runs} runs; {self.allowed}. Send a "
            "smaller scan, or have the operator allow more."
        )
