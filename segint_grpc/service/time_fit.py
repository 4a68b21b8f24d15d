"""Refuses a scan whose job cannot end before its deadline, instead of failing it when that has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from segint_grpc import errors
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

    def expected(self, voxels: int) -> Expectation | None:
        """Return what a run takes for so many voxels; None where the evidence is thin.

        It takes `RUNS_ENOUGH` runs, and as large a scan, or scans of enough sizes to show how time grows.
        """
        if self.model is None or not voxels:
            return None
        expected = self.model.expect(voxels, cold=False)
        return expected if expected.runs >= RUNS_ENOUGH and expected.within else None

    def permits(self, new: NewJob) -> bool:
        """Return whether nothing speaks against the job's end before its deadline."""
        expected = self.expected(new.voxels)
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

    async def check(self, new: NewJob) -> None:
        """Let a job pass that is expected to end in time, or of which too little is known.

        As with memory it is refused for what is expected, not for what might be.

        Raises:
            TakesTooLong: the run alone takes longer than the job has.
            QueueTooLong: it does with what is before it.
        """
        allowance = await self.allowance(new.model_id, anew=True)
        expected = allowance.expected(new.voxels)
        if expected is None or allowance.permits(new):
            return
        if expected.total_s <= left_s(new):
            raise errors.QueueTooLong(
                f"The segmentations before it are expected to take {span(allowance.turn_s or 0.0)} and this "
                f"one {span(expected.total_s)}, from the versions' last runs; {self._allowed(new)}. "
                "Try again later."
            )
        if cheaper_setting(new.model_id) is None:
            raise errors.TakesTooLong(
                f"The scan has {new.voxels} voxels, for which {new.model_id!r} is expected to take "
                f"{span(expected.total_s)}, from its last {expected.runs} runs; {self._allowed(new)}. Send a "
                "smaller scan, or have the operator allow more."
            )

    def _allowed(self, new: NewJob) -> str:
        allowed_s = (new.deadline_at - new.submitted_at).total_seconds()
        own = allowed_s < self._settings.job_deadline_s
        source = "its manifest's limits.deadline_s" if own else "setting job_deadline_s"
        return f"a job has {span(allowed_s)} from its posting ({source})"


def cheaper_setting(version_id: str) -> str | None:
    """Return the name of a setting in which the version runs in less time; None: there is none.

    Here a manifest's cheaper settings will be asked for. Until there are any, nothing takes less time.
    """
    return None
