"""segint.v1.Segmentation: converts, calls the service, converts back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from generated.radiomics import Model_pb2
from generated.segint.v1 import access_pb2, job_pb2, segmentation_pb2, segmentation_pb2_grpc
from segint_grpc import __version__, errors
from segint_grpc.api.access import SCOPES
from segint_grpc.api.timestamps import timestamp
from segint_grpc.domain import access
from segint_grpc.domain.access import Door
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.remaining import Remaining
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.credentials import Credentials
from segint_grpc.service.job_view import JobView
from segint_grpc.service.jobs import Jobs
from segint_grpc.service.models import Models
from segint_grpc.service.submission import Posting, Submissions

CHUNK_BYTES = 1024 * 1024
CREDITS = 100_000.0
STATES = {
    JobState.RECEIVED: job_pb2.JOB_STATE_RECEIVED,
    JobState.QUEUED: job_pb2.JOB_STATE_QUEUED,
    JobState.RUNNING: job_pb2.JOB_STATE_RUNNING,
    JobState.SUCCEEDED: job_pb2.JOB_STATE_SUCCEEDED,
    JobState.FAILED: job_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: job_pb2.JOB_STATE_CANCELLED,
}
CANCELLED_TEXT = "The segmentation was cancelled."

Context = grpc.aio.ServicerContext[Any, Any]


class SegmentationServicer(segmentation_pb2_grpc.SegmentationServicer):
    """What a client of SegInt does."""

    def __init__(
        self,
        submissions: Submissions,
        jobs: Jobs,
        models: Models,
        credentials: Credentials,
        context: ServiceContext,
    ) -> None:
        """Answer from the services."""
        self._submissions = submissions
        self._jobs = jobs
        self._models = models
        self._credentials = credentials
        self._figures = context.figures
        self._hop = context.hop

    async def ListModels(
        self, request: segmentation_pb2.ListModelsRequest, context: Context
    ) -> segmentation_pb2.ListModelsResponse:
        """Every family with a version that can run."""
        return segmentation_pb2.ListModelsResponse(models=await self._models.offered())

    async def Submit(
        self, request_iterator: AsyncIterator[segmentation_pb2.SubmitRequest], context: Context
    ) -> segmentation_pb2.SubmitResponse:
        """Take a scan in."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.HasField("header"):
            raise errors.InvalidRequest("The first message of Submit must be the header.")
        header = first.header
        posting = Posting(
            model_id=header.model_id,
            caller=_caller_of(header),
            size_bytes=header.size_bytes if header.HasField("size_bytes") else None,
        )
        job, repeated = await self._submissions.submit(posting, _chunks(request_iterator))
        task = Model_pb2.SegmentationTask(SegmentationID=job.id, StartTime=timestamp(job.submitted_at))
        return segmentation_pb2.SubmitResponse(task=task, repeated_post=repeated)

    async def GetProgress(
        self, request: segmentation_pb2.GetProgressRequest, context: Context
    ) -> segmentation_pb2.GetProgressResponse:
        """How far a job is."""
        view = await self._jobs.get(request.segmentation_id, request.model_id)
        return segmentation_pb2.GetProgressResponse(job=progress_of(view))

    async def WatchProgress(
        self, request: segmentation_pb2.WatchProgressRequest, context: Context
    ) -> AsyncIterator[segmentation_pb2.WatchProgressResponse]:
        """Every change of a job."""
        async for view in self._jobs.watch(request.segmentation_id, request.model_id):
            yield segmentation_pb2.WatchProgressResponse(job=progress_of(view))

    async def WatchJobs(
        self, request: segmentation_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[segmentation_pb2.WatchJobsResponse]:
        """Everything that a gateway can answer by itself."""
        async for news in self._jobs.watch_all():
            jobs = [news_of(job) for job in news.jobs]
            answer = segmentation_pb2.WatchJobsResponse(jobs=jobs, access_changed=news.access)
            if news.models:
                answer.models.CopyFrom(await self._models.offered())
            yield answer

    async def GetResult(
        self, request: segmentation_pb2.GetResultRequest, context: Context
    ) -> AsyncIterator[segmentation_pb2.GetResultResponse]:
        """Stream the stored ModelOutput."""
        async with self._jobs.result(request.segmentation_id, request.model_id) as (job, file):
            left_bytes = job.result_bytes or 0
            header = segmentation_pb2.ResultHeader(size_bytes=left_bytes, sha256=job.result_sha256)
            yield segmentation_pb2.GetResultResponse(header=header)
            while left_bytes and (chunk := await self._hop.run(file.read, CHUNK_BYTES)):
                left_bytes -= len(chunk)
                self._figures.bytes_sent += len(chunk)
                yield segmentation_pb2.GetResultResponse(chunk=chunk)

    async def Cancel(
        self, request: segmentation_pb2.CancelRequest, context: Context
    ) -> segmentation_pb2.CancelResponse:
        """End a job."""
        view = await self._jobs.cancel(request.segmentation_id, request.model_id)
        return segmentation_pb2.CancelResponse(job=progress_of(view))

    async def SendFeedback(
        self, request: segmentation_pb2.SendFeedbackRequest, context: Context
    ) -> segmentation_pb2.SendFeedbackResponse:
        """Keep a user's opinion."""
        feedback = request.feedback
        linked = await self._jobs.keep_feedback(feedback.SegmentationID, feedback.SerializeToString())
        return segmentation_pb2.SendFeedbackResponse(linked_to_job=linked)

    async def SendTelemetry(
        self, request: segmentation_pb2.SendTelemetryRequest, context: Context
    ) -> segmentation_pb2.SendTelemetryResponse:
        """Keep how a job went from the client's side."""
        telemetry = request.telemetry
        linked = await self._jobs.keep_telemetry(telemetry.SegmentationID, telemetry.SerializeToString())
        return segmentation_pb2.SendTelemetryResponse(linked_to_job=linked)

    async def GetCredits(
        self, request: segmentation_pb2.GetCreditsRequest, context: Context
    ) -> segmentation_pb2.GetCreditsResponse:
        """Credits do not apply."""
        answer = Model_pb2.Credits(
            TotalCredits=CREDITS,
            DisplayCreditsWarning=True,
            CreditsWarningMessage="Credits do not apply to this server.",
            LanguageCode="en",
        )
        return segmentation_pb2.GetCreditsResponse(credits=answer)

    async def GetVendorStatus(
        self, request: segmentation_pb2.GetVendorStatusRequest, context: Context
    ) -> segmentation_pb2.GetVendorStatusResponse:
        """Who runs this server."""
        status = Model_pb2.VendorStatus(
            TotalCredits=CREDITS,
            ClientCountryCode="US",
            SegmentationServiceStatus=Model_pb2.VendorStatus.VendorServiceStatus.Available,
            SegmentationServiceUrl=request.service_url,
            AvailableSegmentationServiceLocations=["US"],
            VendorName="SegInt",
            LanguageCode="en-US",
        )
        return segmentation_pb2.GetVendorStatusResponse(vendor_status=status)

    async def GetApiInformation(
        self, request: segmentation_pb2.GetApiInformationRequest, context: Context
    ) -> segmentation_pb2.GetApiInformationResponse:
        """Which interface this is."""
        information = Model_pb2.ApiInformation(Version=__version__)
        return segmentation_pb2.GetApiInformationResponse(api_information=information)

    async def Identify(
        self, request: segmentation_pb2.IdentifyRequest, context: Context
    ) -> segmentation_pb2.IdentifyResponse:
        """Whom the caller is taken for."""
        caller = access.current.get()
        answer = segmentation_pb2.IdentifyResponse(
            principal=caller.principal, scope=SCOPES.get(caller.scope, access_pb2.SCOPE_UNSPECIFIED)
        )
        expires_at = self._credentials.expiry(caller.principal.removeprefix("token:"))
        if expires_at is not None:
            answer.expires_at.CopyFrom(timestamp(expires_at))
        return answer


def progress_of(view: JobView) -> job_pb2.JobProgress:
    """Return a job as the services show it."""
    job = view.job
    message = job_pb2.JobProgress(
        segmentation_id=job.id,
        model_id=job.model_id,
        state=STATES[job.state],
        progress=segmentation_progress(job),
        stage=job.stage,
        jobs_ahead=view.jobs_ahead,
        attempt=job.attempt,
        submitted_at=timestamp(job.submitted_at),
        warnings=job.warnings,
    )
    if view.remaining:
        message.remaining.CopyFrom(remaining_message(view.remaining))
    if job.started_at:
        message.started_at.CopyFrom(timestamp(job.started_at))
    if job.finished_at:
        message.finished_at.CopyFrom(timestamp(job.finished_at))
    return message


def remaining_message(remaining: Remaining) -> job_pb2.Remaining:
    """Return how long a job will still take."""
    return job_pb2.Remaining(low_s=remaining.low_s, expected_s=remaining.expected_s, high_s=remaining.high_s)


def news_of(job: Job) -> segmentation_pb2.JobNews:
    """Return what a gateway keeps of a job."""
    return segmentation_pb2.JobNews(
        segmentation_id=job.id, model_id=job.model_id, progress=segmentation_progress(job), owner=job.owner
    )


def segmentation_progress(job: Job) -> Model_pb2.SegmentationProgress:
    """Return what Velocity is told: a cancelled job has ended too, so it is told as an error."""
    if job.state is JobState.CANCELLED:
        code, text = "UnknownClientError", CANCELLED_TEXT
    else:
        code, text = job.error_code or "None", job.error_text
    return Model_pb2.SegmentationProgress(Progress=job.percent, Errors=text, ErrorCode=code)


def _caller_of(header: segmentation_pb2.SubmitHeader) -> str:
    """Return who posts: over the network what a post says of itself never stands for its address."""
    caller = access.current.get()
    if caller.door is Door.TCP:
        return f"{caller.address} {header.caller}".strip()
    return (caller.address if caller.door is Door.GATEWAY_SOCKET else header.caller) or "local"


async def _chunks(requests: AsyncIterator[segmentation_pb2.SubmitRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if not request.HasField("chunk"):
            raise errors.InvalidRequest("After the header, every message of Submit must be a chunk.")
        yield request.chunk
