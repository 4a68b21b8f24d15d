"""segint.v1.Models: converts, calls the service, converts back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from generated.segint.v1 import models_pb2, models_pb2_grpc
from segint_grpc import errors
from segint_grpc.api import model_messages as messages
from segint_grpc.domain.models import ConstraintPolicy, FileRecord
from segint_grpc.service.job_statistics import Statistics
from segint_grpc.service.jobs import Jobs
from segint_grpc.service.models import Models
from segint_grpc.service.version_runs import VersionRuns

Context = grpc.aio.ServicerContext[Any, Any]


class ModelsServicer(models_pb2_grpc.ModelsServicer):
    """Administration of the models."""

    def __init__(self, models: Models, jobs: Jobs, runs: VersionRuns, statistics: Statistics) -> None:
        """Answer from the services."""
        self._models = models
        self._jobs = jobs
        self._runs = runs
        self._statistics = statistics

    async def CreateFamily(
        self, request: models_pb2.CreateFamilyRequest, context: Context
    ) -> models_pb2.CreateFamilyResponse:
        """Make a family."""
        policy = messages.policy_of(request.constraint_policy) or ConstraintPolicy.ENFORCE
        written, wishes = messages.written_family(request), messages.wishes_of(request)
        view = await self._models.create_family(written, wishes, policy)
        return models_pb2.CreateFamilyResponse(family=messages.family_message(view))

    async def ImportFamily(
        self, request: models_pb2.ImportFamilyRequest, context: Context
    ) -> models_pb2.ImportFamilyResponse:
        """Take a family over."""
        policy = messages.policy_of(request.constraint_policy) or ConstraintPolicy.WARN
        view = await self._models.import_family(request.family, policy)
        return models_pb2.ImportFamilyResponse(family=messages.family_message(view))

    async def GetFamily(
        self, request: models_pb2.GetFamilyRequest, context: Context
    ) -> models_pb2.GetFamilyResponse:
        """Return one family."""
        view = await self._models.family(request.canonical_name)
        return models_pb2.GetFamilyResponse(family=messages.family_message(view), binary=view.body)

    async def UpdateFamily(
        self, request: models_pb2.UpdateFamilyRequest, context: Context
    ) -> models_pb2.UpdateFamilyResponse:
        """Replace a family that nobody else has changed."""
        if request.WhichOneof("source") is None:
            raise errors.InvalidFields({"source": "Give the family as it shall be: as family or binary."})
        policy = messages.policy_of(request.constraint_policy)
        from_text = request.HasField("family")
        wanted = request.family.SerializeToString() if from_text else request.binary
        view = await self._models.update_family(wanted, request.revision, policy, from_text)
        return models_pb2.UpdateFamilyResponse(family=messages.family_message(view))

    async def ListFamilies(
        self, request: models_pb2.ListFamiliesRequest, context: Context
    ) -> models_pb2.ListFamiliesResponse:
        """List every family."""
        views = await self._models.families()
        return models_pb2.ListFamiliesResponse(families=[messages.family_message(view) for view in views])

    async def RemoveFamily(
        self, request: models_pb2.RemoveFamilyRequest, context: Context
    ) -> models_pb2.RemoveFamilyResponse:
        """Remove a family."""
        cancel = self._jobs.cancel if request.force else None
        removed = await self._models.remove(request.canonical_name, cancel)
        return models_pb2.RemoveFamilyResponse(
            jobs_cancelled=removed.jobs_cancelled, files_removed=removed.files_removed
        )

    async def UploadFile(
        self, request_iterator: AsyncIterator[models_pb2.UploadFileRequest], context: Context
    ) -> models_pb2.UploadFileResponse:
        """Store a file."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.HasField("header"):
            raise errors.InvalidRequest("The first message of UploadFile must be the header.")
        header = first.header
        offer = FileRecord(header.sha256.lower(), header.name, header.size_bytes)
        file = await self._models.files.upload(offer, _chunks(request_iterator))
        return models_pb2.UploadFileResponse(file=messages.file_message(file))

    async def AdoptFile(
        self, request: models_pb2.AdoptFileRequest, context: Context
    ) -> models_pb2.AdoptFileResponse:
        """Store a file of the inbox."""
        file = await self._models.files.adopt(request.name)
        return models_pb2.AdoptFileResponse(file=messages.file_message(file))

    async def ListFiles(
        self, request: models_pb2.ListFilesRequest, context: Context
    ) -> models_pb2.ListFilesResponse:
        """List every stored file."""
        files = [messages.stored_file_message(view) for view in await self._models.files.files()]
        return models_pb2.ListFilesResponse(files=files, inbox=await self._models.files.inbox())

    async def DownloadFile(
        self, request: models_pb2.DownloadFileRequest, context: Context
    ) -> AsyncIterator[models_pb2.DownloadFileResponse]:
        """Give a stored file back."""
        file = await self._models.files.find(request.sha256)
        yield models_pb2.DownloadFileResponse(file=messages.file_message(file))
        async for chunk in self._models.files.chunks(file):
            yield models_pb2.DownloadFileResponse(chunk=chunk)

    async def ApproveFile(
        self, request: models_pb2.ApproveFileRequest, context: Context
    ) -> models_pb2.ApproveFileResponse:
        """Let a file's code run."""
        view = await self._models.files.approve(request.sha256)
        return models_pb2.ApproveFileResponse(file=messages.stored_file_message(view))

    async def SetRuntime(
        self, request: models_pb2.SetRuntimeRequest, context: Context
    ) -> models_pb2.SetRuntimeResponse:
        """Say what runs a version."""
        record = messages.runtime_record(request.runtime)
        view = await self._models.versions.set_runtime(request.version_id, record)
        return models_pb2.SetRuntimeResponse(version=messages.version_message(view))

    async def CheckVersion(
        self, request: models_pb2.CheckVersionRequest, context: Context
    ) -> AsyncIterator[models_pb2.CheckVersionResponse]:
        """Check a version, step by step."""
        async with aclosing(self._runs.check(request.version_id)) as answers:
            async for answer in answers:
                yield answer

    async def ActivateVersion(
        self, request: models_pb2.ActivateVersionRequest, context: Context
    ) -> models_pb2.ActivateVersionResponse:
        """Offer a version to clients."""
        view = await self._models.versions.activate(request.version_id, request.force, request.reason)
        return models_pb2.ActivateVersionResponse(version=messages.version_message(view))

    async def RetireVersion(
        self, request: models_pb2.RetireVersionRequest, context: Context
    ) -> models_pb2.RetireVersionResponse:
        """Offer a version no more."""
        view = await self._models.versions.retire(request.version_id, request.reason)
        return models_pb2.RetireVersionResponse(version=messages.version_message(view))

    async def SetDefaultVersion(
        self, request: models_pb2.SetDefaultVersionRequest, context: Context
    ) -> models_pb2.SetDefaultVersionResponse:
        """List a version first in its family, or go back to the one that was."""
        view = await self._models.versions.set_default(request.version_id, request.canonical_name)
        return models_pb2.SetDefaultVersionResponse(family=messages.family_message(view))

    async def WarmUp(self, request: models_pb2.WarmUpRequest, context: Context) -> models_pb2.WarmUpResponse:
        """Load a version before its first job."""
        warm = await self._runs.warm_up(request.version_id)
        load = messages.load_message(warm.load) if warm.load else None
        return models_pb2.WarmUpResponse(seconds=warm.seconds, memory_bytes=warm.memory_bytes, load=load)

    async def Unload(self, request: models_pb2.UnloadRequest, context: Context) -> models_pb2.UnloadResponse:
        """End a version's idle processes."""
        ended = await self._runs.unload(request.version_id)
        return models_pb2.UnloadResponse(processes_ended=ended)

    async def GetStatistics(
        self, request: models_pb2.GetStatisticsRequest, context: Context
    ) -> models_pb2.GetStatisticsResponse:
        """Tell how the jobs of one version, or of each, went."""
        found = await self._statistics.versions(request.version_id)
        shown = [messages.statistics_message(statistics) for statistics in found]
        return models_pb2.GetStatisticsResponse(versions=shown)

    async def ListBackends(
        self, request: models_pb2.ListBackendsRequest, context: Context
    ) -> models_pb2.ListBackendsResponse:
        """List the back ends."""
        found = await self._models.back_ends()
        shown = [models_pb2.Backend(name=b.name, summary=b.summary, problem=b.problem) for b in found]
        return models_pb2.ListBackendsResponse(backends=shown)


async def _chunks(requests: AsyncIterator[models_pb2.UploadFileRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if not request.HasField("chunk"):
            raise errors.InvalidRequest("After the header, every message of UploadFile must be a chunk.")
        yield request.chunk
