"""segint.v1.Models: converts, calls the service, converts back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from generated.segint.v1 import models_pb2, models_pb2_grpc
from segint_grpc import errors
from segint_grpc.domain.models import ConstraintPolicy, FileRecord, RuntimeRecord
from segint_grpc.service.catalogue import FamilyView, VersionView
from segint_grpc.service.jobs import Jobs
from segint_grpc.service.models import Models

Context = grpc.aio.ServicerContext[Any, Any]

POLICIES = {
    models_pb2.CONSTRAINT_POLICY_UNSPECIFIED: ConstraintPolicy.WARN,
    models_pb2.CONSTRAINT_POLICY_OFF: ConstraintPolicy.OFF,
    models_pb2.CONSTRAINT_POLICY_WARN: ConstraintPolicy.WARN,
    models_pb2.CONSTRAINT_POLICY_ENFORCE: ConstraintPolicy.ENFORCE,
}


class ModelsServicer(models_pb2_grpc.ModelsServicer):
    """Administration of the models."""

    def __init__(self, models: Models, jobs: Jobs) -> None:
        """Answer from the services."""
        self._models = models
        self._jobs = jobs

    async def ImportFamily(
        self, request: models_pb2.ImportFamilyRequest, context: Context
    ) -> models_pb2.ImportFamilyResponse:
        """Take a family over."""
        if request.constraint_policy not in POLICIES:
            raise errors.InvalidRequest(f"There is no constraint policy {request.constraint_policy}.")
        view = await self._models.import_family(request.family, POLICIES[request.constraint_policy])
        return models_pb2.ImportFamilyResponse(family=_family(view))

    async def UploadFile(
        self, request_iterator: AsyncIterator[models_pb2.UploadFileRequest], context: Context
    ) -> models_pb2.UploadFileResponse:
        """Store a file."""
        first = await anext(aiter(request_iterator), None)
        if first is None or not first.HasField("header"):
            raise errors.InvalidRequest("The first message of UploadFile must be the header.")
        header = first.header
        offer = FileRecord(header.sha256.lower(), header.name, header.size_bytes)
        file = await self._models.upload(offer, _chunks(request_iterator))
        return models_pb2.UploadFileResponse(file=_file(file))

    async def SetRuntime(
        self, request: models_pb2.SetRuntimeRequest, context: Context
    ) -> models_pb2.SetRuntimeResponse:
        """Say what runs a version."""
        view = await self._models.set_runtime(request.version_id, _runtime_record(request.runtime))
        return models_pb2.SetRuntimeResponse(version=_version(view))

    async def ListFamilies(
        self, request: models_pb2.ListFamiliesRequest, context: Context
    ) -> models_pb2.ListFamiliesResponse:
        """List every family."""
        views = await self._models.families()
        return models_pb2.ListFamiliesResponse(families=[_family(view) for view in views])

    async def RemoveFamily(
        self, request: models_pb2.RemoveFamilyRequest, context: Context
    ) -> models_pb2.RemoveFamilyResponse:
        """Remove a family."""
        cancel = self._jobs.cancel if request.force else None
        removed = await self._models.remove(request.canonical_name, cancel)
        return models_pb2.RemoveFamilyResponse(
            jobs_cancelled=removed.jobs_cancelled, files_removed=removed.files_removed
        )

    async def ListBackends(
        self, request: models_pb2.ListBackendsRequest, context: Context
    ) -> models_pb2.ListBackendsResponse:
        """List the back ends."""
        found = await self._models.back_ends()
        shown = [models_pb2.Backend(name=b.name, summary=b.summary, problem=b.problem) for b in found]
        return models_pb2.ListBackendsResponse(backends=shown)


def _family(view: FamilyView) -> models_pb2.Family:
    return models_pb2.Family(
        family=view.family,
        constraint_policy=f"CONSTRAINT_POLICY_{view.policy.name}",
        versions=[_version(version) for version in view.versions],
        imported_at=view.imported_at,
    )


def _version(view: VersionView) -> models_pb2.Version:
    return models_pb2.Version(
        version_id=view.version_id,
        runtime=_runtime(view.runtime) if view.runtime else None,
        offered=not view.problem,
        problem=view.problem,
    )


def _runtime(record: RuntimeRecord) -> models_pb2.Runtime:
    parameters = Struct()
    parameters.update(dict(record.parameters))
    return models_pb2.Runtime(
        backend=record.backend,
        model_file=_file(record.model_file) if record.model_file else None,
        module_file=_file(record.module_file) if record.module_file else None,
        entry=record.entry,
        parameters=parameters if record.parameters else None,
    )


def _runtime_record(runtime: models_pb2.Runtime) -> RuntimeRecord:
    return RuntimeRecord(
        backend=runtime.backend,
        model_file=_file_record(runtime.model_file) if runtime.HasField("model_file") else None,
        module_file=_file_record(runtime.module_file) if runtime.HasField("module_file") else None,
        entry=runtime.entry,
        parameters=_parameters(runtime.parameters),
    )


def _parameters(parameters: Struct) -> dict[str, Any]:
    """Return `parameters` as plain values; a whole number, which a Struct holds as a double, becomes an int.

    Raises:
        InvalidModel: a number is infinite or none.
    """
    try:
        values = json_format.MessageToDict(parameters)
    except ValueError as error:
        raise errors.InvalidModel(f"A parameter cannot be kept: {error}") from None
    return {name: _with_ints(value) for name, value in values.items()}


def _with_ints(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _with_ints(item) for name, item in value.items()}
    return [_with_ints(item) for item in value] if isinstance(value, list) else value


def _file(record: FileRecord) -> models_pb2.ModelFile:
    return models_pb2.ModelFile(sha256=record.sha256, name=record.name, size_bytes=record.size_bytes)


def _file_record(file: models_pb2.ModelFile) -> FileRecord:
    return FileRecord(file.sha256.lower(), file.name, file.size_bytes)


async def _chunks(requests: AsyncIterator[models_pb2.UploadFileRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if not request.HasField("chunk"):
            raise errors.InvalidRequest("After the header, every message of UploadFile must be a chunk.")
        yield request.chunk
