"""segint.v1.Jobs: converts, calls the service, converts back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from generated.segint.v1 import job_pb2, jobs_pb2, jobs_pb2_grpc
from segint_grpc import errors
from segint_grpc.api import paging
from segint_grpc.api.job_messages import (
    event_message,
    feedback_message,
    run_message,
    summary,
    telemetry_message,
)
from segint_grpc.api.segmentation import CHUNK_BYTES, STATES, progress_of
from segint_grpc.api.timestamps import moment_in
from segint_grpc.domain.job_lists import JobFilter, Place
from segint_grpc.domain.jobs import JobState
from segint_grpc.service.hop import Hop
from segint_grpc.service.job_administration import JobAdministration
from segint_grpc.service.opinions import Opinions

Context = grpc.aio.ServicerContext[Any, Any]

STATES_BY_NUMBER: dict[int, JobState] = {number: state for state, number in STATES.items()}


class JobsServicer(jobs_pb2_grpc.JobsServicer):
    """Administration of the jobs."""

    def __init__(self, jobs: JobAdministration, opinions: Opinions, hop: Hop) -> None:
        """Answer from the services."""
        self._jobs = jobs
        self._opinions = opinions
        self._hop = hop

    async def ListJobs(
        self, request: jobs_pb2.ListJobsRequest, context: Context
    ) -> jobs_pb2.ListJobsResponse:
        """List jobs."""
        size = paging.size_of(request.page_size)
        after = paging.place_of(request.page_token)
        views = await self._jobs.page(_filter(request.filter), after, size + 1)
        page = paging.cut(views, size, summary, lambda view: paging.job_token(Place.of(view.job)))
        return jobs_pb2.ListJobsResponse(jobs=page.messages, next_page_token=page.next_token)

    async def GetJob(self, request: jobs_pb2.GetJobRequest, context: Context) -> jobs_pb2.GetJobResponse:
        """One job with everything that is known of it."""
        view = await self._jobs.story(request.segmentation_id)
        job = view.story.job
        return jobs_pb2.GetJobResponse(
            job=summary(view.view),
            timeline=[event_message(event) for event in view.story.timeline],
            runs=[run_message(run) for run in view.story.runs],
            input_kept=job.body_kept,
            result_kept=job.result_kept,
        )

    async def FollowJobs(
        self, request: jobs_pb2.FollowJobsRequest, context: Context
    ) -> AsyncIterator[jobs_pb2.FollowJobsResponse]:
        """Jobs and their changes."""
        async for views in self._jobs.follow(_filter(request.filter)):
            yield jobs_pb2.FollowJobsResponse(jobs=[progress_of(view) for view in views])

    async def CancelJob(
        self, request: jobs_pb2.CancelJobRequest, context: Context
    ) -> jobs_pb2.CancelJobResponse:
        """End a job."""
        return jobs_pb2.CancelJobResponse(job=progress_of(await self._jobs.cancel(request.segmentation_id)))

    async def RetryJob(
        self, request: jobs_pb2.RetryJobRequest, context: Context
    ) -> jobs_pb2.RetryJobResponse:
        """Run a job's input again."""
        view = await self._jobs.retry(request.segmentation_id, request.model_id)
        return jobs_pb2.RetryJobResponse(job=progress_of(view))

    async def DeleteJob(
        self, request: jobs_pb2.DeleteJobRequest, context: Context
    ) -> jobs_pb2.DeleteJobResponse:
        """Remove a job."""
        await self._jobs.delete(request.segmentation_id)
        return jobs_pb2.DeleteJobResponse()

    async def GetInput(
        self, request: jobs_pb2.GetInputRequest, context: Context
    ) -> AsyncIterator[jobs_pb2.GetInputResponse]:
        """Stream the stored ModelInput."""
        job, path = await self._jobs.input(request.segmentation_id)
        with await self._hop.run(_open, path) as file:
            header = jobs_pb2.InputHeader(
                size_bytes=job.body_bytes, sha256=job.body_sha256, model_id=job.model_id
            )
            yield jobs_pb2.GetInputResponse(header=header)
            while chunk := await self._hop.run(file.read, CHUNK_BYTES):
                yield jobs_pb2.GetInputResponse(chunk=chunk)

    async def ListFeedback(
        self, request: jobs_pb2.ListFeedbackRequest, context: Context
    ) -> jobs_pb2.ListFeedbackResponse:
        """List feedback."""
        size, after = paging.size_of(request.page_size), paging.number_of(request.page_token)
        moment = moment_in(request, "received_after")
        views = await self._opinions.feedback(request.model_id, moment, after, size + 1)
        page = paging.cut(
            views, size, feedback_message, lambda view: paging.number_token(view.opinion.number)
        )
        return jobs_pb2.ListFeedbackResponse(feedback=page.messages, next_page_token=page.next_token)

    async def ListTelemetry(
        self, request: jobs_pb2.ListTelemetryRequest, context: Context
    ) -> jobs_pb2.ListTelemetryResponse:
        """List telemetry."""
        size, after = paging.size_of(request.page_size), paging.number_of(request.page_token)
        moment = moment_in(request, "received_after")
        views = await self._opinions.telemetry(request.model_id, moment, after, size + 1)
        page = paging.cut(
            views, size, telemetry_message, lambda view: paging.number_token(view.opinion.number)
        )
        return jobs_pb2.ListTelemetryResponse(telemetry=page.messages, next_page_token=page.next_token)


def _filter(message: jobs_pb2.JobFilter) -> JobFilter:
    return JobFilter(
        model_id=message.model_id,
        states=frozenset(_state(number) for number in message.states),
        submitted_from=moment_in(message, "submitted_after"),
        submitted_before=moment_in(message, "submitted_before"),
        caller=message.caller,
        with_warnings=message.with_warnings,
    )


def _state(number: int) -> JobState:
    if number not in STATES_BY_NUMBER:
        names = ", ".join(job_pb2.JobState.Name(known) for known in STATES.values())
        raise errors.InvalidFields({"states": f"There is no job state {number}; there is {names}."})
    return STATES_BY_NUMBER[number]


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise errors.NoInput from None
