"""A small core that speaks segint.v1 over a real grpc.aio server, for tests of what stands in front of it.

It keeps jobs in memory and runs none: a test moves them with `FakeJob.report` and `succeed`, `fail`.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2, operations_pb2, operations_pb2_grpc, segmentation_pb2_grpc
from generated.segint.v1 import segmentation_pb2 as pb
from segint_grpc import logs, refusal
from tests.fakes.feed import Feed, news_of

MODEL_ID = "Centered Orange Square"
RESULT_CHUNK_BYTES = 64 * 1024


@dataclass
class FakeJob:
    """A job whose state only the test changes."""

    id: str
    model_id: str
    body_sha256: str
    caller: str
    state: job_pb2.JobState = job_pb2.JOB_STATE_QUEUED
    percent: int = 0
    stage: str = "queue"
    error: str = ""
    error_code: str = "None"
    result: bytes = b""
    on_change: Callable[[job_pb2.JobProgress], None] = lambda message: None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def ended(self) -> bool:
        return self.state in (
            job_pb2.JOB_STATE_SUCCEEDED,
            job_pb2.JOB_STATE_FAILED,
            job_pb2.JOB_STATE_CANCELLED,
        )

    async def set(self, **values: Any) -> None:
        async with self.changed:
            for name, value in values.items():
                setattr(self, name, value)
            self.changed.notify_all()
        self.on_change(self.message())

    async def report(self, percent: int, stage: str) -> None:
        await self.set(state=job_pb2.JOB_STATE_RUNNING, percent=percent, stage=stage)

    async def succeed(self, result: bytes) -> None:
        await self.set(state=job_pb2.JOB_STATE_SUCCEEDED, percent=100, stage="done", result=result)

    async def fail(self, code: str, text: str) -> None:
        await self.set(state=job_pb2.JOB_STATE_FAILED, error=text, error_code=code)

    def message(self) -> job_pb2.JobProgress:
        codes = Model_pb2.SegmentationProgress.ErrorCodes
        progress = Model_pb2.SegmentationProgress(
            Progress=self.percent, Errors=self.error, ErrorCode=codes.Value(self.error_code)
        )
        return job_pb2.JobProgress(
            segmentation_id=self.id,
            model_id=self.model_id,
            state=self.state,
            progress=progress,
            stage=self.stage,
            attempt=0 if self.stage == "queue" else 1,
        )


class FakeCore(segmentation_pb2_grpc.SegmentationServicer, operations_pb2_grpc.OperationsServicer):
    """The core's services. What a test wants to know or change is a public attribute."""

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.families = [sample_family()]
        self.opinions: list[Any] = []
        self.request_ids: list[str] = []
        self.received_bytes = 0
        self.largest_chunk_bytes = 0
        self.submissions = 0
        self.upload_began = asyncio.Event()
        self.upload_ended = asyncio.Event()
        self.watch_ended = asyncio.Event()
        self.result_ended = asyncio.Event()
        self.body_max_bytes = 64 * 1024 * 1024
        self.refuse_after_bytes: int | None = None
        self.cut_result_after_bytes: int | None = None
        self.failure: tuple[grpc.StatusCode, str] | None = None
        self.silent = False
        self.keep_bodies = True
        self.on_call: Callable[[Any], None] = lambda context: None
        self.health = health.aio.HealthServicer()
        self.feed = Feed()

    def job(self, model_id: str = MODEL_ID) -> FakeJob:
        """Return a new job, as if it had been posted."""
        return self._keep(FakeJob(str(uuid.uuid4()), model_id, "", ""))

    def _keep(self, job: FakeJob) -> FakeJob:
        job.on_change = self.feed.push_job
        self.jobs[job.id] = job
        return job

    def offer(self, family: Model_pb2.ModelFamily) -> None:
        """Offer one more family."""
        self.families.append(family)
        self.feed.push(pb.WatchJobsResponse(models=self._models()))

    def _models(self) -> Model_pb2.ModelsCollection:
        return Model_pb2.ModelsCollection(Models=self.families)

    async def set_ready(self, ready: bool) -> None:
        states = health_pb2.HealthCheckResponse
        await self.health.set("segint.v1.Segmentation", states.SERVING if ready else states.NOT_SERVING)

    async def ListModels(self, request: Any, context: Any) -> pb.ListModelsResponse:
        await self._enter(context)
        return pb.ListModelsResponse(models=self._models())

    async def Submit(self, requests: Any, context: Any) -> pb.SubmitResponse:
        try:
            return await self._submit(requests, context)
        finally:
            self.upload_ended.set()

    async def _submit(self, requests: Any, context: Any) -> pb.SubmitResponse:
        await self._enter(context)
        self.submissions += 1
        self.upload_began.set()
        header, digest, body, sent_bytes = None, hashlib.sha256(), bytearray(), 0
        async for request in requests:
            part = request.WhichOneof("part")
            if (part == "header") == (header is not None):
                await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "The header comes first and once.")
            if part == "header":
                header = request.header
                await self._check_header(header, context)
                continue
            digest.update(request.chunk)
            sent_bytes += len(request.chunk)
            body += request.chunk if self.keep_bodies else b""
            await self._check_chunk(request.chunk, sent_bytes, context)
        if header is None:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "The header is missing.")
        return await self._accept(header, digest.hexdigest(), bytes(body), context)

    async def _check_header(self, header: pb.SubmitHeader, context: Any) -> None:
        offered = [version.ID for family in self.families for version in family.ModelVersions]
        if header.model_id not in offered:
            await _abort(
                context, grpc.StatusCode.NOT_FOUND, f"No model of the id {header.model_id!r} is offered here."
            )
        if header.size_bytes > self.body_max_bytes:
            await _abort(context, grpc.StatusCode.OUT_OF_RANGE, "The body is larger than the core takes.")

    async def _check_chunk(self, chunk: bytes, total_bytes: int, context: Any) -> None:
        self.received_bytes += len(chunk)
        self.largest_chunk_bytes = max(self.largest_chunk_bytes, len(chunk))
        if total_bytes > self.body_max_bytes:
            await _abort(context, grpc.StatusCode.OUT_OF_RANGE, "The body is larger than the core takes.")
        if self.refuse_after_bytes is not None and total_bytes >= self.refuse_after_bytes:
            await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "The disk is full.")

    async def _accept(self, header: Any, sha256: str, body: bytes, context: Any) -> pb.SubmitResponse:
        if self.keep_bodies:
            await self._check_body(body, context)
        same = (header.model_id, header.caller, sha256)
        for job in self.jobs.values():
            if not job.ended and (job.model_id, job.caller, job.body_sha256) == same:
                return pb.SubmitResponse(task=_task(job), repeated_post=True)
        job = self._keep(FakeJob(str(uuid.uuid4()), header.model_id, sha256, header.caller))
        return pb.SubmitResponse(task=_task(job))

    async def _check_body(self, body: bytes, context: Any) -> None:
        try:
            message = Model_pb2.ModelInput.FromString(body)
        except DecodeError:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "The body is no ModelInput.")
        if not message.Channels:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "The ModelInput has no channels.")

    async def GetProgress(self, request: Any, context: Any) -> pb.GetProgressResponse:
        await self._enter(context)
        return pb.GetProgressResponse(job=(await self._find(request, context)).message())

    async def WatchProgress(self, request: Any, context: Any) -> AsyncIterator[pb.WatchProgressResponse]:
        await self._enter(context)
        job = await self._find(request, context)
        try:
            while True:
                message = job.message()
                yield pb.WatchProgressResponse(job=message)
                if job.ended and message == job.message():
                    return
                async with job.changed:
                    await job.changed.wait_for(lambda seen=message: job.message() != seen)
        finally:
            self.watch_ended.set()

    async def WatchJobs(self, request: Any, context: Any) -> AsyncIterator[pb.WatchJobsResponse]:
        self.feed.asked += 1
        if self.feed.refused is not None:
            await _abort(context, self.feed.refused, "There is no such stream for you.")
        unfinished = [news_of(job.message()) for job in self.jobs.values() if not job.ended]
        first = pb.WatchJobsResponse(models=self._models(), jobs=unfinished)
        async for news in self.feed.serve(first):
            yield news
        await _abort(context, grpc.StatusCode.UNAVAILABLE, "The server is stopping.")

    async def GetResult(self, request: Any, context: Any) -> AsyncIterator[pb.GetResultResponse]:
        await self._enter(context)
        job = await self._find(request, context)
        if not job.ended or job.error:
            details = job.error or "The segmentation is still processing."
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, details)
        digest = hashlib.sha256(job.result).hexdigest()
        yield pb.GetResultResponse(header=pb.ResultHeader(size_bytes=len(job.result), sha256=digest))
        try:
            for start in range(0, len(job.result), RESULT_CHUNK_BYTES):
                if self.cut_result_after_bytes is not None and start >= self.cut_result_after_bytes:
                    await _abort(context, grpc.StatusCode.INTERNAL, "The result cannot be read.")
                yield pb.GetResultResponse(chunk=job.result[start : start + RESULT_CHUNK_BYTES])
        finally:
            self.result_ended.set()

    async def Cancel(self, request: Any, context: Any) -> pb.CancelResponse:
        await self._enter(context)
        job = await self._find(request, context)
        if not job.ended:
            await job.set(state=job_pb2.JOB_STATE_CANCELLED, error="Cancelled.")
        return pb.CancelResponse(job=job.message())

    async def SendFeedback(self, request: Any, context: Any) -> pb.SendFeedbackResponse:
        await self._enter(context)
        self.opinions.append(request.feedback)
        return pb.SendFeedbackResponse(linked_to_job=request.feedback.SegmentationID in self.jobs)

    async def SendTelemetry(self, request: Any, context: Any) -> pb.SendTelemetryResponse:
        await self._enter(context)
        self.opinions.append(request.telemetry)
        return pb.SendTelemetryResponse(linked_to_job=request.telemetry.SegmentationID in self.jobs)

    async def GetCredits(self, request: Any, context: Any) -> pb.GetCreditsResponse:
        await self._enter(context)
        return pb.GetCreditsResponse(
            credits=Model_pb2.Credits(
                TotalCredits=100000,
                DisplayCreditsWarning=True,
                CreditsWarningMessage="Credits do not apply.",
                LanguageCode="en",
            )
        )

    async def GetVendorStatus(self, request: Any, context: Any) -> pb.GetVendorStatusResponse:
        await self._enter(context)
        status = Model_pb2.VendorStatus(
            TotalCredits=100000,
            ClientCountryCode="US",
            SegmentationServiceStatus=Model_pb2.VendorStatus.Available,
            SegmentationServiceUrl=request.service_url,
            AvailableSegmentationServiceLocations=["US"],
            VendorName="SegInt",
            LanguageCode="en-US",
        )
        return pb.GetVendorStatusResponse(vendor_status=status)

    async def GetApiInformation(self, request: Any, context: Any) -> pb.GetApiInformationResponse:
        await self._enter(context)
        return pb.GetApiInformationResponse(api_information=Model_pb2.ApiInformation(Version="v2"))

    async def GetFigures(self, request: Any, context: Any) -> operations_pb2.GetFiguresResponse:
        await self._enter(context)
        stage = operations_pb2.StageDuration(
            stage="infer",
            count=3,
            sum_s=4.5,
            buckets=[
                operations_pb2.Bucket(upper_s=1, count=1),
                operations_pb2.Bucket(upper_s=10, count=3),
            ],
        )
        count = operations_pb2.JobCount(model_id=MODEL_ID, state=job_pb2.JOB_STATE_SUCCEEDED, count=3)
        return operations_pb2.GetFiguresResponse(
            jobs=[count],
            queue_length=2,
            stages=[stage],
            slots=4,
            slots_busy=1,
            bytes_received=1000,
            bytes_sent=500,
        )

    async def _enter(self, context: Any) -> None:
        """Do what surrounds every RPC of the real core: the request id comes back as trailing metadata."""
        metadata = dict(context.invocation_metadata() or ())
        request_id = metadata.get(logs.REQUEST_ID_METADATA, "")
        self.request_ids.append(request_id)
        self.on_call(context)
        context.set_trailing_metadata(((logs.REQUEST_ID_METADATA, request_id),))
        if self.silent:
            await asyncio.Event().wait()
        if self.failure is not None:
            await _abort(context, *self.failure)

    async def _find(self, request: Any, context: Any) -> FakeJob:
        try:
            job = self.jobs.get(str(uuid.UUID(request.segmentation_id)))
        except ValueError:
            job = None
        if job is None or (request.model_id and request.model_id != job.model_id):
            await _abort(context, grpc.StatusCode.NOT_FOUND, "The segmentation does not exist.")
        return job


@asynccontextmanager
async def running(core: FakeCore, socket: Path) -> AsyncIterator[None]:
    """Serve `core` on a unix socket while the context lasts."""
    server = grpc.aio.server()
    segmentation_pb2_grpc.add_SegmentationServicer_to_server(core, server)
    operations_pb2_grpc.add_OperationsServicer_to_server(core, server)
    health_pb2_grpc.add_HealthServicer_to_server(core.health, server)
    server.add_insecure_port(f"unix:{socket}")
    await core.set_ready(True)
    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def sample_family() -> Model_pb2.ModelFamily:
    """Return the family that every empty home offers, in short."""
    structure = Model_pb2.Structure(
        Name="liver", Type=Model_pb2.Structure.Organ, InputChannelID="1", StructureID="1"
    )
    version = Model_pb2.ModelVersion(
        ID=MODEL_ID, Structures=[structure], MajorVersion=0, MinorVersion=1, LanguageCode="en"
    )
    version.CreatedOn.FromSeconds(1595947330)
    return Model_pb2.ModelFamily(CanonicalName="Centered Square", ModelVersions=[version], LanguageCode="en")


async def _abort(context: Any, code: grpc.StatusCode, details: str) -> NoReturn:
    """End the RPC as the core does: code and details go ahead as initial metadata where they still can."""
    with suppress(grpc.aio.UsageError):
        await context.send_initial_metadata(refusal.pack(code.name, details))
    await context.abort(code, details)
    raise AssertionError("abort raises")


def _task(job: FakeJob) -> Model_pb2.SegmentationTask:
    task = Model_pb2.SegmentationTask(SegmentationID=job.id)
    task.StartTime.GetCurrentTime()
    return task
