import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from generated.radiomics import Model_pb2 as _Model_pb2
from generated.segint.v1 import handling_pb2 as _handling_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConstraintPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSTRAINT_POLICY_UNSPECIFIED: _ClassVar[ConstraintPolicy]
    CONSTRAINT_POLICY_OFF: _ClassVar[ConstraintPolicy]
    CONSTRAINT_POLICY_WARN: _ClassVar[ConstraintPolicy]
    CONSTRAINT_POLICY_ENFORCE: _ClassVar[ConstraintPolicy]

class VersionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSION_STATE_UNSPECIFIED: _ClassVar[VersionState]
    VERSION_STATE_DRAFT: _ClassVar[VersionState]
    VERSION_STATE_CHECKED: _ClassVar[VersionState]
    VERSION_STATE_ACTIVE: _ClassVar[VersionState]
    VERSION_STATE_RETIRED: _ClassVar[VersionState]
CONSTRAINT_POLICY_UNSPECIFIED: ConstraintPolicy
CONSTRAINT_POLICY_OFF: ConstraintPolicy
CONSTRAINT_POLICY_WARN: ConstraintPolicy
CONSTRAINT_POLICY_ENFORCE: ConstraintPolicy
VERSION_STATE_UNSPECIFIED: VersionState
VERSION_STATE_DRAFT: VersionState
VERSION_STATE_CHECKED: VersionState
VERSION_STATE_ACTIVE: VersionState
VERSION_STATE_RETIRED: VersionState

class CreateFamilyRequest(_message.Message):
    __slots__ = ("family", "json", "text", "binary", "modalities", "body_parts", "gender", "regulatory_status", "external_structures", "constraint_policy")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    MODALITIES_FIELD_NUMBER: _ClassVar[int]
    BODY_PARTS_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    REGULATORY_STATUS_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_STRUCTURES_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_POLICY_FIELD_NUMBER: _ClassVar[int]
    family: _Model_pb2.ModelFamily
    json: str
    text: str
    binary: bytes
    modalities: _containers.RepeatedScalarFieldContainer[str]
    body_parts: _containers.RepeatedScalarFieldContainer[str]
    gender: str
    regulatory_status: str
    external_structures: _containers.RepeatedScalarFieldContainer[str]
    constraint_policy: ConstraintPolicy
    def __init__(self, family: _Optional[_Union[_Model_pb2.ModelFamily, _Mapping]] = ..., json: _Optional[str] = ..., text: _Optional[str] = ..., binary: _Optional[bytes] = ..., modalities: _Optional[_Iterable[str]] = ..., body_parts: _Optional[_Iterable[str]] = ..., gender: _Optional[str] = ..., regulatory_status: _Optional[str] = ..., external_structures: _Optional[_Iterable[str]] = ..., constraint_policy: _Optional[_Union[ConstraintPolicy, str]] = ...) -> None: ...

class CreateFamilyResponse(_message.Message):
    __slots__ = ("family",)
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class ImportFamilyRequest(_message.Message):
    __slots__ = ("family", "constraint_policy")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_POLICY_FIELD_NUMBER: _ClassVar[int]
    family: bytes
    constraint_policy: ConstraintPolicy
    def __init__(self, family: _Optional[bytes] = ..., constraint_policy: _Optional[_Union[ConstraintPolicy, str]] = ...) -> None: ...

class ImportFamilyResponse(_message.Message):
    __slots__ = ("family",)
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class GetFamilyRequest(_message.Message):
    __slots__ = ("canonical_name",)
    CANONICAL_NAME_FIELD_NUMBER: _ClassVar[int]
    canonical_name: str
    def __init__(self, canonical_name: _Optional[str] = ...) -> None: ...

class GetFamilyResponse(_message.Message):
    __slots__ = ("family", "binary")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    binary: bytes
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ..., binary: _Optional[bytes] = ...) -> None: ...

class UpdateFamilyRequest(_message.Message):
    __slots__ = ("family", "binary", "revision", "constraint_policy")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_POLICY_FIELD_NUMBER: _ClassVar[int]
    family: _Model_pb2.ModelFamily
    binary: bytes
    revision: int
    constraint_policy: ConstraintPolicy
    def __init__(self, family: _Optional[_Union[_Model_pb2.ModelFamily, _Mapping]] = ..., binary: _Optional[bytes] = ..., revision: _Optional[int] = ..., constraint_policy: _Optional[_Union[ConstraintPolicy, str]] = ...) -> None: ...

class UpdateFamilyResponse(_message.Message):
    __slots__ = ("family",)
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class UploadFileRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: UploadFileHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[UploadFileHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class UploadFileHeader(_message.Message):
    __slots__ = ("name", "size_bytes", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    size_bytes: int
    sha256: str
    def __init__(self, name: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class UploadFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: ModelFile
    def __init__(self, file: _Optional[_Union[ModelFile, _Mapping]] = ...) -> None: ...

class AdoptFileRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class AdoptFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: ModelFile
    def __init__(self, file: _Optional[_Union[ModelFile, _Mapping]] = ...) -> None: ...

class ModelFile(_message.Message):
    __slots__ = ("sha256", "name", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    name: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., name: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFilesResponse(_message.Message):
    __slots__ = ("files", "inbox")
    FILES_FIELD_NUMBER: _ClassVar[int]
    INBOX_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[StoredFile]
    inbox: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, files: _Optional[_Iterable[_Union[StoredFile, _Mapping]]] = ..., inbox: _Optional[_Iterable[str]] = ...) -> None: ...

class StoredFile(_message.Message):
    __slots__ = ("file", "used_by", "carries_code", "approved_at")
    FILE_FIELD_NUMBER: _ClassVar[int]
    USED_BY_FIELD_NUMBER: _ClassVar[int]
    CARRIES_CODE_FIELD_NUMBER: _ClassVar[int]
    APPROVED_AT_FIELD_NUMBER: _ClassVar[int]
    file: ModelFile
    used_by: _containers.RepeatedScalarFieldContainer[str]
    carries_code: bool
    approved_at: _timestamp_pb2.Timestamp
    def __init__(self, file: _Optional[_Union[ModelFile, _Mapping]] = ..., used_by: _Optional[_Iterable[str]] = ..., carries_code: bool = ..., approved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DownloadFileRequest(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class DownloadFileResponse(_message.Message):
    __slots__ = ("file", "chunk")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    file: ModelFile
    chunk: bytes
    def __init__(self, file: _Optional[_Union[ModelFile, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ApproveFileRequest(_message.Message):
    __slots__ = ("sha256",)
    SHA256_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    def __init__(self, sha256: _Optional[str] = ...) -> None: ...

class ApproveFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: StoredFile
    def __init__(self, file: _Optional[_Union[StoredFile, _Mapping]] = ...) -> None: ...

class Runtime(_message.Message):
    __slots__ = ("backend", "model_file", "module_file", "entry", "parameters", "check_scan", "handling", "interpreter")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FILE_FIELD_NUMBER: _ClassVar[int]
    MODULE_FILE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    CHECK_SCAN_FIELD_NUMBER: _ClassVar[int]
    HANDLING_FIELD_NUMBER: _ClassVar[int]
    INTERPRETER_FIELD_NUMBER: _ClassVar[int]
    backend: str
    model_file: ModelFile
    module_file: ModelFile
    entry: str
    parameters: _struct_pb2.Struct
    check_scan: ModelFile
    handling: _handling_pb2.ScanHandling
    interpreter: str
    def __init__(self, backend: _Optional[str] = ..., model_file: _Optional[_Union[ModelFile, _Mapping]] = ..., module_file: _Optional[_Union[ModelFile, _Mapping]] = ..., entry: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., check_scan: _Optional[_Union[ModelFile, _Mapping]] = ..., handling: _Optional[_Union[_handling_pb2.ScanHandling, _Mapping]] = ..., interpreter: _Optional[str] = ...) -> None: ...

class SetRuntimeRequest(_message.Message):
    __slots__ = ("version_id", "runtime")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    runtime: Runtime
    def __init__(self, version_id: _Optional[str] = ..., runtime: _Optional[_Union[Runtime, _Mapping]] = ...) -> None: ...

class SetRuntimeResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: Version
    def __init__(self, version: _Optional[_Union[Version, _Mapping]] = ...) -> None: ...

class CheckVersionRequest(_message.Message):
    __slots__ = ("version_id",)
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    def __init__(self, version_id: _Optional[str] = ...) -> None: ...

class CheckVersionResponse(_message.Message):
    __slots__ = ("step", "report")
    STEP_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    step: CheckStep
    report: CheckReport
    def __init__(self, step: _Optional[_Union[CheckStep, _Mapping]] = ..., report: _Optional[_Union[CheckReport, _Mapping]] = ...) -> None: ...

class CheckStep(_message.Message):
    __slots__ = ("name", "number", "total", "outcome", "finding", "seconds", "peak_memory_bytes")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[CheckStep.Outcome]
        OUTCOME_RUNNING: _ClassVar[CheckStep.Outcome]
        OUTCOME_PASSED: _ClassVar[CheckStep.Outcome]
        OUTCOME_WARNING: _ClassVar[CheckStep.Outcome]
        OUTCOME_FAILED: _ClassVar[CheckStep.Outcome]
    OUTCOME_UNSPECIFIED: CheckStep.Outcome
    OUTCOME_RUNNING: CheckStep.Outcome
    OUTCOME_PASSED: CheckStep.Outcome
    OUTCOME_WARNING: CheckStep.Outcome
    OUTCOME_FAILED: CheckStep.Outcome
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    number: int
    total: int
    outcome: CheckStep.Outcome
    finding: str
    seconds: float
    peak_memory_bytes: int
    def __init__(self, name: _Optional[str] = ..., number: _Optional[int] = ..., total: _Optional[int] = ..., outcome: _Optional[_Union[CheckStep.Outcome, str]] = ..., finding: _Optional[str] = ..., seconds: _Optional[float] = ..., peak_memory_bytes: _Optional[int] = ...) -> None: ...

class CheckReport(_message.Message):
    __slots__ = ("passed", "runtime_revision", "checked_at", "steps")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_REVISION_FIELD_NUMBER: _ClassVar[int]
    CHECKED_AT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    runtime_revision: int
    checked_at: _timestamp_pb2.Timestamp
    steps: _containers.RepeatedCompositeFieldContainer[CheckStep]
    def __init__(self, passed: bool = ..., runtime_revision: _Optional[int] = ..., checked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[CheckStep, _Mapping]]] = ...) -> None: ...

class ActivateVersionRequest(_message.Message):
    __slots__ = ("version_id", "force", "reason")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    force: bool
    reason: str
    def __init__(self, version_id: _Optional[str] = ..., force: bool = ..., reason: _Optional[str] = ...) -> None: ...

class ActivateVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: Version
    def __init__(self, version: _Optional[_Union[Version, _Mapping]] = ...) -> None: ...

class RetireVersionRequest(_message.Message):
    __slots__ = ("version_id", "reason")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    reason: str
    def __init__(self, version_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RetireVersionResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: Version
    def __init__(self, version: _Optional[_Union[Version, _Mapping]] = ...) -> None: ...

class SetDefaultVersionRequest(_message.Message):
    __slots__ = ("version_id", "canonical_name")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_NAME_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    canonical_name: str
    def __init__(self, version_id: _Optional[str] = ..., canonical_name: _Optional[str] = ...) -> None: ...

class SetDefaultVersionResponse(_message.Message):
    __slots__ = ("family",)
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    family: Family
    def __init__(self, family: _Optional[_Union[Family, _Mapping]] = ...) -> None: ...

class WarmUpRequest(_message.Message):
    __slots__ = ("version_id",)
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    def __init__(self, version_id: _Optional[str] = ...) -> None: ...

class WarmUpResponse(_message.Message):
    __slots__ = ("seconds", "memory_bytes", "load")
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    memory_bytes: int
    load: ModelLoad
    def __init__(self, seconds: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., load: _Optional[_Union[ModelLoad, _Mapping]] = ...) -> None: ...

class ModelLoad(_message.Message):
    __slots__ = ("loaded_at", "seconds", "memory_bytes", "gpu_memory_bytes", "device")
    LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    loaded_at: _timestamp_pb2.Timestamp
    seconds: float
    memory_bytes: int
    gpu_memory_bytes: int
    device: str
    def __init__(self, loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seconds: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., gpu_memory_bytes: _Optional[int] = ..., device: _Optional[str] = ...) -> None: ...

class UnloadRequest(_message.Message):
    __slots__ = ("version_id",)
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    def __init__(self, version_id: _Optional[str] = ...) -> None: ...

class UnloadResponse(_message.Message):
    __slots__ = ("processes_ended",)
    PROCESSES_ENDED_FIELD_NUMBER: _ClassVar[int]
    processes_ended: int
    def __init__(self, processes_ended: _Optional[int] = ...) -> None: ...

class GetStatisticsRequest(_message.Message):
    __slots__ = ("version_id",)
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    def __init__(self, version_id: _Optional[str] = ...) -> None: ...

class GetStatisticsResponse(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[VersionStatistics]
    def __init__(self, versions: _Optional[_Iterable[_Union[VersionStatistics, _Mapping]]] = ...) -> None: ...

class VersionStatistics(_message.Message):
    __slots__ = ("version_id", "jobs", "succeeded", "cancelled", "failures", "queue_s", "run_s", "peak_memory_bytes", "load")
    class FailuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    RUN_S_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    jobs: int
    succeeded: int
    cancelled: int
    failures: _containers.ScalarMap[str, int]
    queue_s: Quantiles
    run_s: Quantiles
    peak_memory_bytes: int
    load: ModelLoad
    def __init__(self, version_id: _Optional[str] = ..., jobs: _Optional[int] = ..., succeeded: _Optional[int] = ..., cancelled: _Optional[int] = ..., failures: _Optional[_Mapping[str, int]] = ..., queue_s: _Optional[_Union[Quantiles, _Mapping]] = ..., run_s: _Optional[_Union[Quantiles, _Mapping]] = ..., peak_memory_bytes: _Optional[int] = ..., load: _Optional[_Union[ModelLoad, _Mapping]] = ...) -> None: ...

class Quantiles(_message.Message):
    __slots__ = ("median", "p95")
    MEDIAN_FIELD_NUMBER: _ClassVar[int]
    P95_FIELD_NUMBER: _ClassVar[int]
    median: float
    p95: float
    def __init__(self, median: _Optional[float] = ..., p95: _Optional[float] = ...) -> None: ...

class Family(_message.Message):
    __slots__ = ("family", "constraint_policy", "versions", "imported_at", "revision", "default_version_id", "warnings")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    family: _Model_pb2.ModelFamily
    constraint_policy: ConstraintPolicy
    versions: _containers.RepeatedCompositeFieldContainer[Version]
    imported_at: _timestamp_pb2.Timestamp
    revision: int
    default_version_id: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, family: _Optional[_Union[_Model_pb2.ModelFamily, _Mapping]] = ..., constraint_policy: _Optional[_Union[ConstraintPolicy, str]] = ..., versions: _Optional[_Iterable[_Union[Version, _Mapping]]] = ..., imported_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., default_version_id: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("version_id", "runtime", "offered", "problem", "state", "check", "forced")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    OFFERED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHECK_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    runtime: Runtime
    offered: bool
    problem: str
    state: VersionState
    check: CheckReport
    forced: bool
    def __init__(self, version_id: _Optional[str] = ..., runtime: _Optional[_Union[Runtime, _Mapping]] = ..., offered: bool = ..., problem: _Optional[str] = ..., state: _Optional[_Union[VersionState, str]] = ..., check: _Optional[_Union[CheckReport, _Mapping]] = ..., forced: bool = ...) -> None: ...

class ListFamiliesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFamiliesResponse(_message.Message):
    __slots__ = ("families",)
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    families: _containers.RepeatedCompositeFieldContainer[Family]
    def __init__(self, families: _Optional[_Iterable[_Union[Family, _Mapping]]] = ...) -> None: ...

class RemoveFamilyRequest(_message.Message):
    __slots__ = ("canonical_name", "force")
    CANONICAL_NAME_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    canonical_name: str
    force: bool
    def __init__(self, canonical_name: _Optional[str] = ..., force: bool = ...) -> None: ...

class RemoveFamilyResponse(_message.Message):
    __slots__ = ("jobs_cancelled", "files_removed")
    JOBS_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    FILES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    jobs_cancelled: int
    files_removed: int
    def __init__(self, jobs_cancelled: _Optional[int] = ..., files_removed: _Optional[int] = ...) -> None: ...

class ListBackendsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBackendsResponse(_message.Message):
    __slots__ = ("backends",)
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    def __init__(self, backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ...) -> None: ...

class Backend(_message.Message):
    __slots__ = ("name", "summary", "problem")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    name: str
    summary: str
    problem: str
    def __init__(self, name: _Optional[str] = ..., summary: _Optional[str] = ..., problem: _Optional[str] = ...) -> None: ...
