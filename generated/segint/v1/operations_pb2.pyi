from generated.segint.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BackupRequest(_message.Message):
    __slots__ = ("with_jobs", "passphrase")
    WITH_JOBS_FIELD_NUMBER: _ClassVar[int]
    PASSPHRASE_FIELD_NUMBER: _ClassVar[int]
    with_jobs: bool
    passphrase: str
    def __init__(self, with_jobs: bool = ..., passphrase: _Optional[str] = ...) -> None: ...

class BackupResponse(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: BackupHeader
    chunk: bytes
    trailer: BackupTrailer
    def __init__(self, header: _Optional[_Union[BackupHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., trailer: _Optional[_Union[BackupTrailer, _Mapping]] = ...) -> None: ...

class BackupHeader(_message.Message):
    __slots__ = ("about_bytes",)
    ABOUT_BYTES_FIELD_NUMBER: _ClassVar[int]
    about_bytes: int
    def __init__(self, about_bytes: _Optional[int] = ...) -> None: ...

class BackupTrailer(_message.Message):
    __slots__ = ("size_bytes", "sha256")
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    size_bytes: int
    sha256: str
    def __init__(self, size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class GetFiguresRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetFiguresResponse(_message.Message):
    __slots__ = ("jobs", "queue_length", "stages", "slots", "slots_busy", "bytes_received", "bytes_sent", "loaded", "disk_free_bytes", "disk_bytes")
    JOBS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_BUSY_FIELD_NUMBER: _ClassVar[int]
    BYTES_RECEIVED_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    LOADED_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    jobs: _containers.RepeatedCompositeFieldContainer[JobCount]
    queue_length: int
    stages: _containers.RepeatedCompositeFieldContainer[StageDuration]
    slots: int
    slots_busy: int
    bytes_received: int
    bytes_sent: int
    loaded: _containers.RepeatedCompositeFieldContainer[LoadedModel]
    disk_free_bytes: int
    disk_bytes: int
    def __init__(self, jobs: _Optional[_Iterable[_Union[JobCount, _Mapping]]] = ..., queue_length: _Optional[int] = ..., stages: _Optional[_Iterable[_Union[StageDuration, _Mapping]]] = ..., slots: _Optional[int] = ..., slots_busy: _Optional[int] = ..., bytes_received: _Optional[int] = ..., bytes_sent: _Optional[int] = ..., loaded: _Optional[_Iterable[_Union[LoadedModel, _Mapping]]] = ..., disk_free_bytes: _Optional[int] = ..., disk_bytes: _Optional[int] = ...) -> None: ...

class LoadedModel(_message.Message):
    __slots__ = ("model_id", "memory_bytes", "busy")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    memory_bytes: int
    busy: bool
    def __init__(self, model_id: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., busy: bool = ...) -> None: ...

class JobCount(_message.Message):
    __slots__ = ("model_id", "state", "count")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    model_id: str
    state: _job_pb2.JobState
    count: int
    def __init__(self, model_id: _Optional[str] = ..., state: _Optional[_Union[_job_pb2.JobState, str]] = ..., count: _Optional[int] = ...) -> None: ...

class StageDuration(_message.Message):
    __slots__ = ("stage", "count", "sum_s", "buckets")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUM_S_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    stage: str
    count: int
    sum_s: float
    buckets: _containers.RepeatedCompositeFieldContainer[Bucket]
    def __init__(self, stage: _Optional[str] = ..., count: _Optional[int] = ..., sum_s: _Optional[float] = ..., buckets: _Optional[_Iterable[_Union[Bucket, _Mapping]]] = ...) -> None: ...

class Bucket(_message.Message):
    __slots__ = ("upper_s", "count")
    UPPER_S_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    upper_s: float
    count: int
    def __init__(self, upper_s: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...
