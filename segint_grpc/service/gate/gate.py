"""Checks a version before it is offered: runs it on scans of the project's own and on its author's.

A check runs beside the jobs, not among them: it takes no slot, so that no patient waits for it, and its
process yields the processor to theirs. One check runs at a time; a second one waits.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from generated.segint.v1.models_pb2 import CheckReport, CheckStep, CheckVersionResponse
from segint_grpc import errors
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.gate.bench import Bench, Hung
from segint_grpc.service.gate.course import Course, Patience, Step
from segint_grpc.service.gate.verdicts import FAILED, Finding
from segint_grpc.service.unpacking import as_job_failure
from segint_grpc.worker.pool import WorkerPool

log = logging.getLogger(__name__)

LEFT_OUT = " The steps after it were left out."


class Gate:
    """Checks versions. What it needs of a version is that its code may run: that is the caller's to see."""

    def __init__(self, context: ServiceContext, pool: WorkerPool) -> None:
        """Run models in processes of `pool` that belong to no slot."""
        self._context = context
        self._pool = pool
        self._turn = asyncio.Lock()

    async def check(self, model: ResolvedModel) -> AsyncGenerator[CheckVersionResponse, None]:
        """Yield each step of a check of `model` as it begins and as it ends, and the report last.

        Whatever the model does is a step's finding and raises nothing. A caller that stops early closes
        the iterator (`contextlib.aclosing`): the model's process is then ended, and no file stays.
        """
        async with self._turn, self._pool.separate() as process:
            bench = Bench(self._context, model, process)
            try:
                settings = self._context.settings
                patience = Patience(
                    Hung(settings.check_step_s, "check_step_s"),
                    Hung(settings.job_deadline_s, "job_deadline_s"),
                )
                course = Course(model, bench, self._context.hop, patience)
                async with aclosing(_steps(course)) as steps:
                    ended = []
                    async for step in steps:
                        if step.outcome != CheckStep.OUTCOME_RUNNING:
                            ended.append(step)
                        yield CheckVersionResponse(step=step)
                yield CheckVersionResponse(report=_report(model, ended))
            finally:
                bench.remove_files()


async def _steps(course: Course) -> AsyncGenerator[CheckStep, None]:
    planned = course.steps()
    for number, step in enumerate(planned, 1):
        shown = CheckStep(name=step.name, number=number, total=len(planned))
        shown.outcome = CheckStep.OUTCOME_RUNNING
        yield shown
        began = time.monotonic()
        course.peak_memory_bytes = 0
        finding, enough = await _taken(step)
        left_out = LEFT_OUT if enough and number < len(planned) else ""
        yield CheckStep(
            name=step.name,
            number=number,
            total=len(planned),
            outcome=finding.outcome,
            finding=finding.sentence + left_out,
            seconds=time.monotonic() - began,
            peak_memory_bytes=course.peak_memory_bytes,
        )
        if enough:
            return


async def _taken(step: Step) -> tuple[Finding, bool]:
    """Take `step`; return what it found, and whether that is the end of the check."""
    try:
        return await step.take(), False
    except errors.DeadlineExceeded as error:
        # A model that hangs once would do so again, and every step would wait for it.
        return Finding(FAILED, error.message), True
    except errors.SegIntError as error:
        return Finding(FAILED, error.message), step.essential
    except Exception as error:
        return Finding(FAILED, as_job_failure(error).message), step.essential


def _report(model: ResolvedModel, steps: list[CheckStep]) -> CheckReport:
    passed = all(step.outcome != FAILED for step in steps)
    log.info("version checked", extra={"model": model.version.ID, "passed": passed, "steps": len(steps)})
    report = CheckReport(passed=passed, runtime_revision=model.runtime.revision, steps=steps)
    report.checked_at.FromDatetime(datetime.now(UTC))
    return report
