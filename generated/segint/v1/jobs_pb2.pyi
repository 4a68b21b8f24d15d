import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from generated.radiomics import Model_pb2 as _Model_pb2
from generated.segint.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobFilter(_message.Message):
    __slots__ = ("model_id", "states", "submitted_after", "submitted_before", "caller", "with_warnings")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AFTER_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    WITH_WARNINGS_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    states: _containers.RepeatedScalarFieldContainer[_job_pb2.JobState]
    submitted_after: _timestamp_pb2.Timestamp
    submitted_before: _timestamp_pb2.Timestamp
    caller: str
    with_warnings: bool
    def __init__(self, model_id: _Optional[str] = ..., states: _Optional[_Iterable[_Union[_job_pb2.JobState, str]]] = ..., submitted_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., submitted_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., caller: _Optional[str] = ..., with_warnings: bool = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: JobFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[JobFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("jobs", "next_page_token")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobSummary]
    next_page_token: str
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobSummary, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class JobSummary(_message.Message):
    __slots__ = ("job", "caller", "client_version", "body_bytes", "result_bytes", "deadline_at", "owner")
    JOB_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESULT_BYTES_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    caller: str
    client_version: str
    body_bytes: int
    result_bytes: int
    deadline_at: _timestamp_pb2.Timestamp
    owner: str
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ..., caller: _Optional[str] = ..., client_version: _Optional[str] = ..., body_bytes: _Optional[int] = ..., result_bytes: _Optional[int] = ..., deadline_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., owner: _Optional[str] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("segmentation_id",)
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    def __init__(self, segmentation_id: _Optional[str] = ...) -> None: ...

class GetJobResponse(_message.Message):
    __slots__ = ("job", "timeline", "runs", "input_kept", "result_kept")
    JOB_FIELD_NUMBER: _ClassVar[int]
    TIMELINE_FIELD_NUMBER: _ClassVar[int]
    RUNS_FIELD_NUMBER: _ClassVar[int]
    INPUT_KEPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_KEPT_FIELD_NUMBER: _ClassVar[int]
    job: JobSummary
    timeline: _containers.RepeatedCompositeFieldContainer[JobEvent]
    runs: _containers.RepeatedCompositeFieldContainer[JobRun]
    input_kept: bool
    result_kept: bool
    def __init__(self, job: _Optional[_Union[JobSummary, _Mapping]] = ..., timeline: _Optional[_Iterable[_Union[JobEvent, _Mapping]]] = ..., runs: _Optional[_Iterable[_Union[JobRun, _Mapping]]] = ..., input_kept: bool = ..., result_kept: bool = ...) -> None: ...

class JobEvent(_message.Message):
    __slots__ = ("at", "kind", "text")
    AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    kind: str
    text: str
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class JobRun(_message.Message):
    __slots__ = ("attempt", "slot", "started_at", "ended_at", "outcome", "reason", "peak_memory_bytes")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    slot: str
    started_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    outcome: str
    reason: str
    peak_memory_bytes: int
    def __init__(self, attempt: _Optional[int] = ..., slot: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., outcome: _Optional[str] = ..., reason: _Optional[str] = ..., peak_memory_bytes: _Optional[int] = ...) -> None: ...

class FollowJobsRequest(_message.Message):
    __slots__ = ("filter",)
    FILTER_FIELD_NUMBER: _ClassVar[int]
    filter: JobFilter
    def __init__(self, filter: _Optional[_Union[JobFilter, _Mapping]] = ...) -> None: ...

class FollowJobsResponse(_message.Message):
    __slots__ = ("jobs",)
    JOBS_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[_job_pb2.JobProgress]
    def __init__(self, jobs: _Optional[_Iterable[_Union[_job_pb2.JobProgress, _Mapping]]] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("segmentation_id",)
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    def __init__(self, segmentation_id: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ...) -> None: ...

class RetryJobRequest(_message.Message):
    __slots__ = ("segmentation_id", "model_id")
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    model_id: str
    def __init__(self, segmentation_id: _Optional[str] = ..., model_id: _Optional[str] = ...) -> None: ...

class RetryJobResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ...) -> None: ...

class DeleteJobRequest(_message.Message):
    __slots__ = ("segmentation_id",)
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    def __init__(self, segmentation_id: _Optional[str] = ...) -> None: ...

class DeleteJobResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetInputRequest(_message.Message):
    __slots__ = ("segmentation_id",)
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    def __init__(self, segmentation_id: _Optional[str] = ...) -> None: ...

class GetInputResponse(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: InputHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[InputHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class InputHeader(_message.Message):
    __slots__ = ("size_bytes", "sha256", "model_id")
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    size_bytes: int
    sha256: str
    model_id: str
    def __init__(self, size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., model_id: _Optional[str] = ...) -> None: ...

class ListFeedbackRequest(_message.Message):
    __slots__ = ("model_id", "received_after", "page_size", "page_token")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    received_after: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, model_id: _Optional[str] = ..., received_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFeedbackResponse(_message.Message):
    __slots__ = ("feedback", "next_page_token")
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    feedback: _containers.RepeatedCompositeFieldContainer[Feedback]
    next_page_token: str
    def __init__(self, feedback: _Optional[_Iterable[_Union[Feedback, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Feedback(_message.Message):
    __slots__ = ("received_at", "feedback", "model_id", "canonical_name", "structures")
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_NAME_FIELD_NUMBER: _ClassVar[int]
    STRUCTURES_FIELD_NUMBER: _ClassVar[int]
    received_at: _timestamp_pb2.Timestamp
    feedback: _Model_pb2.SegmentationFeedback
    model_id: str
    canonical_name: str
    structures: _containers.RepeatedCompositeFieldContainer[_Model_pb2.Structure]
    def __init__(self, received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., feedback: _Optional[_Union[_Model_pb2.SegmentationFeedback, _Mapping]] = ..., model_id: _Optional[str] = ..., canonical_name: _Optional[str] = ..., structures: _Optional[_Iterable[_Union[_Model_pb2.Structure, _Mapping]]] = ...) -> None: ...

class ListTelemetryRequest(_message.Message):
    __slots__ = ("model_id", "received_after", "page_size", "page_token")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AFTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    received_after: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, model_id: _Optional[str] = ..., received_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTelemetryResponse(_message.Message):
    __slots__ = ("telemetry", "next_page_token")
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    telemetry: _containers.RepeatedCompositeFieldContainer[Telemetry]
    next_page_token: str
    def __init__(self, telemetry: _Optional[_Iterable[_Union[Telemetry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Telemetry(_message.Message):
    __slots__ = ("received_at", "telemetry", "model_id")
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    received_at: _timestamp_pb2.Timestamp
    telemetry: _Model_pb2.SegmentationTelemetry
    model_id: str
    def __init__(self, received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., telemetry: _Optional[_Union[_Model_pb2.SegmentationTelemetry, _Mapping]] = ..., model_id: _Optional[str] = ...) -> None: ...
