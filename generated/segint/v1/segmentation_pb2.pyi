import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from generated.radiomics import Model_pb2 as _Model_pb2
from generated.segint.v1 import access_pb2 as _access_pb2
from generated.segint.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _Model_pb2.ModelsCollection
    def __init__(self, models: _Optional[_Union[_Model_pb2.ModelsCollection, _Mapping]] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: SubmitHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[SubmitHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class SubmitHeader(_message.Message):
    __slots__ = ("model_id", "size_bytes", "caller")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    size_bytes: int
    caller: str
    def __init__(self, model_id: _Optional[str] = ..., size_bytes: _Optional[int] = ..., caller: _Optional[str] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("task", "repeated_post")
    TASK_FIELD_NUMBER: _ClassVar[int]
    REPEATED_POST_FIELD_NUMBER: _ClassVar[int]
    task: _Model_pb2.SegmentationTask
    repeated_post: bool
    def __init__(self, task: _Optional[_Union[_Model_pb2.SegmentationTask, _Mapping]] = ..., repeated_post: bool = ...) -> None: ...

class GetProgressRequest(_message.Message):
    __slots__ = ("model_id", "segmentation_id")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    segmentation_id: str
    def __init__(self, model_id: _Optional[str] = ..., segmentation_id: _Optional[str] = ...) -> None: ...

class GetProgressResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ...) -> None: ...

class WatchProgressRequest(_message.Message):
    __slots__ = ("model_id", "segmentation_id")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    segmentation_id: str
    def __init__(self, model_id: _Optional[str] = ..., segmentation_id: _Optional[str] = ...) -> None: ...

class WatchProgressResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ...) -> None: ...

class WatchJobsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchJobsResponse(_message.Message):
    __slots__ = ("models", "jobs", "access_changed")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    models: _Model_pb2.ModelsCollection
    jobs: _containers.RepeatedCompositeFieldContainer[JobNews]
    access_changed: bool
    def __init__(self, models: _Optional[_Union[_Model_pb2.ModelsCollection, _Mapping]] = ..., jobs: _Optional[_Iterable[_Union[JobNews, _Mapping]]] = ..., access_changed: bool = ...) -> None: ...

class JobNews(_message.Message):
    __slots__ = ("segmentation_id", "model_id", "progress", "owner")
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    segmentation_id: str
    model_id: str
    progress: _Model_pb2.SegmentationProgress
    owner: str
    def __init__(self, segmentation_id: _Optional[str] = ..., model_id: _Optional[str] = ..., progress: _Optional[_Union[_Model_pb2.SegmentationProgress, _Mapping]] = ..., owner: _Optional[str] = ...) -> None: ...

class GetResultRequest(_message.Message):
    __slots__ = ("model_id", "segmentation_id")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    segmentation_id: str
    def __init__(self, model_id: _Optional[str] = ..., segmentation_id: _Optional[str] = ...) -> None: ...

class GetResultResponse(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: ResultHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[ResultHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ResultHeader(_message.Message):
    __slots__ = ("size_bytes", "sha256")
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    size_bytes: int
    sha256: str
    def __init__(self, size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("model_id", "segmentation_id")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SEGMENTATION_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    segmentation_id: str
    def __init__(self, model_id: _Optional[str] = ..., segmentation_id: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.JobProgress
    def __init__(self, job: _Optional[_Union[_job_pb2.JobProgress, _Mapping]] = ...) -> None: ...

class SendFeedbackRequest(_message.Message):
    __slots__ = ("feedback",)
    FEEDBACK_FIELD_NUMBER: _ClassVar[int]
    feedback: _Model_pb2.SegmentationFeedback
    def __init__(self, feedback: _Optional[_Union[_Model_pb2.SegmentationFeedback, _Mapping]] = ...) -> None: ...

class SendFeedbackResponse(_message.Message):
    __slots__ = ("linked_to_job",)
    LINKED_TO_JOB_FIELD_NUMBER: _ClassVar[int]
    linked_to_job: bool
    def __init__(self, linked_to_job: bool = ...) -> None: ...

class SendTelemetryRequest(_message.Message):
    __slots__ = ("telemetry",)
    TELEMETRY_FIELD_NUMBER: _ClassVar[int]
    telemetry: _Model_pb2.SegmentationTelemetry
    def __init__(self, telemetry: _Optional[_Union[_Model_pb2.SegmentationTelemetry, _Mapping]] = ...) -> None: ...

class SendTelemetryResponse(_message.Message):
    __slots__ = ("linked_to_job",)
    LINKED_TO_JOB_FIELD_NUMBER: _ClassVar[int]
    linked_to_job: bool
    def __init__(self, linked_to_job: bool = ...) -> None: ...

class GetCreditsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCreditsResponse(_message.Message):
    __slots__ = ("credits",)
    CREDITS_FIELD_NUMBER: _ClassVar[int]
    credits: _Model_pb2.Credits
    def __init__(self, credits: _Optional[_Union[_Model_pb2.Credits, _Mapping]] = ...) -> None: ...

class GetVendorStatusRequest(_message.Message):
    __slots__ = ("service_url",)
    SERVICE_URL_FIELD_NUMBER: _ClassVar[int]
    service_url: str
    def __init__(self, service_url: _Optional[str] = ...) -> None: ...

class GetVendorStatusResponse(_message.Message):
    __slots__ = ("vendor_status",)
    VENDOR_STATUS_FIELD_NUMBER: _ClassVar[int]
    vendor_status: _Model_pb2.VendorStatus
    def __init__(self, vendor_status: _Optional[_Union[_Model_pb2.VendorStatus, _Mapping]] = ...) -> None: ...

class GetApiInformationRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetApiInformationResponse(_message.Message):
    __slots__ = ("api_information",)
    API_INFORMATION_FIELD_NUMBER: _ClassVar[int]
    api_information: _Model_pb2.ApiInformation
    def __init__(self, api_information: _Optional[_Union[_Model_pb2.ApiInformation, _Mapping]] = ...) -> None: ...

class IdentifyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class IdentifyResponse(_message.Message):
    __slots__ = ("principal", "scope", "expires_at")
    PRINCIPAL_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    principal: str
    scope: _access_pb2.Scope
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, principal: _Optional[str] = ..., scope: _Optional[_Union[_access_pb2.Scope, str]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
