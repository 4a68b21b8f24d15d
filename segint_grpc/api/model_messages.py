"""segint.v1.Models' messages and the service's facts, each made of the other."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from generated.segint.v1 import models_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.api.timestamps import optional_timestamp
from segint_grpc.domain.job_statistics import Quantiles, VersionStatistics
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.domain.models import ConstraintPolicy, FileRecord, RuntimeRecord
from segint_grpc.service import presence
from segint_grpc.service.family_drafts import Wishes
from segint_grpc.service.family_views import FamilyView, VersionView
from segint_grpc.service.file_keeping import StoredFileView

POLICIES = {
    models_pb2.CONSTRAINT_POLICY_OFF: ConstraintPolicy.OFF,
    models_pb2.CONSTRAINT_POLICY_WARN: ConstraintPolicy.WARN,
    models_pb2.CONSTRAINT_POLICY_ENFORCE: ConstraintPolicy.ENFORCE,
}


def policy_of(value: models_pb2.ConstraintPolicy) -> ConstraintPolicy | None:
    """Return the policy of an enum's value, None where it is unspecified; raises InvalidRequest."""
    if value == models_pb2.CONSTRAINT_POLICY_UNSPECIFIED:
        return None
    if value not in POLICIES:
        known = ", ".join(models_pb2.ConstraintPolicy.Name(policy) for policy in POLICIES)
        text = f"There is no constraint policy {value}; there is {known}."
        raise errors.InvalidFields({"constraint_policy": text})
    return POLICIES[value]


def written_family(request: models_pb2.CreateFamilyRequest) -> Any:
    """Return the family that `request` writes, knowing what of it was set (see service/presence.py).

    Raises:
        InvalidFields: it writes none.
        UnparsableMessage: it is no family in the form that it is said to have.
    """
    form = request.WhichOneof("source")
    if form == "json":
        return presence.from_json(request.json)
    if form == "text":
        return presence.from_text(request.text)
    if form is None:
        raise errors.InvalidFields({"source": "Give the family: as family, json, text or binary."})
    return presence.from_binary(request.binary or request.family.SerializeToString())


def wishes_of(request: models_pb2.CreateFamilyRequest) -> Wishes:
    """Return what `request` says beside the family."""
    return Wishes(
        modalities=request.modalities,
        body_parts=request.body_parts,
        gender=request.gender,
        regulatory_status=request.regulatory_status,
        external_structures=request.external_structures,
    )


def statistics_message(found: VersionStatistics) -> models_pb2.VersionStatistics:
    """Return `found` as a message."""
    return models_pb2.VersionStatistics(
        version_id=found.version_id,
        jobs=found.jobs,
        succeeded=found.succeeded,
        cancelled=found.cancelled,
        failures=found.failures,
        queue_s=_quantiles(found.queue_s) if found.queue_s else None,
        run_s=_quantiles(found.run_s) if found.run_s else None,
        peak_memory_bytes=found.peak_memory_bytes,
        load=load_message(found.load) if found.load else None,
    )


def load_message(load: ModelLoad) -> models_pb2.ModelLoad:
    """Return `load` as a message."""
    return models_pb2.ModelLoad(
        loaded_at=optional_timestamp(load.loaded_at),
        seconds=load.seconds,
        memory_bytes=load.memory_bytes,
        gpu_memory_bytes=load.gpu_memory_bytes,
        device=load.device,
    )


def _quantiles(found: Quantiles) -> models_pb2.Quantiles:
    return models_pb2.Quantiles(median=found.median_s, p95=found.p95_s)


def family_message(view: FamilyView) -> models_pb2.Family:
    """Return `view` as a message."""
    return models_pb2.Family(
        family=view.family,
        constraint_policy=f"CONSTRAINT_POLICY_{view.policy.name}",
        versions=[version_message(version) for version in view.versions],
        imported_at=view.imported_at,
        revision=view.revision,
        default_version_id=view.default_version,
        warnings=view.warnings,
    )


def version_message(view: VersionView) -> models_pb2.Version:
    """Return `view` as a message."""
    return models_pb2.Version(
        version_id=view.version_id,
        runtime=runtime_message(view.runtime) if view.runtime else None,
        offered=not view.problem,
        problem=view.problem,
        state=f"VERSION_STATE_{view.state.name}",
        check=models_pb2.CheckReport.FromString(view.check.body) if view.check else None,
        forced=view.forced,
    )


def runtime_message(record: RuntimeRecord) -> models_pb2.Runtime:
    """Return `record` as a message."""
    parameters = Struct()
    parameters.update(dict(record.parameters))
    return models_pb2.Runtime(
        backend=record.backend,
        model_file=file_message(record.model_file) if record.model_file else None,
        module_file=file_message(record.module_file) if record.module_file else None,
        entry=record.entry,
        parameters=parameters if record.parameters else None,
        check_scan=file_message(record.check_scan) if record.check_scan else None,
        handling=ScanHandling.FromString(record.handling) if record.handling else None,
        interpreter=record.interpreter,
    )


def runtime_record(runtime: models_pb2.Runtime) -> RuntimeRecord:
    """Return what `runtime` says; raises InvalidModel where a parameter is no number that JSON holds."""
    return RuntimeRecord(
        backend=runtime.backend,
        model_file=file_record(runtime.model_file) if runtime.HasField("model_file") else None,
        module_file=file_record(runtime.module_file) if runtime.HasField("module_file") else None,
        entry=runtime.entry,
        parameters=_parameters(runtime.parameters),
        check_scan=file_record(runtime.check_scan) if runtime.HasField("check_scan") else None,
        handling=runtime.handling.SerializeToString(deterministic=True),
        interpreter=runtime.interpreter,
    )


def file_message(record: FileRecord) -> models_pb2.ModelFile:
    """Return `record` as a message."""
    return models_pb2.ModelFile(sha256=record.sha256, name=record.name, size_bytes=record.size_bytes)


def file_record(file: models_pb2.ModelFile) -> FileRecord:
    """Return what `file` says."""
    return FileRecord(file.sha256.lower(), file.name, file.size_bytes)


def stored_file_message(view: StoredFileView) -> models_pb2.StoredFile:
    """Return `view` as a message."""
    return models_pb2.StoredFile(
        file=file_message(view.file),
        used_by=view.used_by,
        carries_code=view.carries_code,
        approved_at=view.approved_at,
    )


def _parameters(parameters: Struct) -> dict[str, Any]:
    """Return `parameters` as plain values; a whole number, which a Struct holds as a double, becomes an int.

    A Struct's keys come in another order in each process. Here they are sorted, so that a model that goes by
    their order draws the same in a check and on every server.

    Raises:
        InvalidModel: a number is infinite or none.
    """
    try:
        values = json_format.MessageToDict(parameters)
    except ValueError as error:
        raise errors.InvalidModel(f"A parameter cannot be kept: {error}") from None
    return {name: _with_ints(value) for name, value in sorted(values.items())}


def _with_ints(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _with_ints(item) for name, item in sorted(value.items())}
    return [_with_ints(item) for item in value] if isinstance(value, list) else value
