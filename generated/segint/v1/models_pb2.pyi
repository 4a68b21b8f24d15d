import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from generated.radiomics import Model_pb2 as _Model_pb2
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
CONSTRAINT_POLICY_UNSPECIFIED: ConstraintPolicy
CONSTRAINT_POLICY_OFF: ConstraintPolicy
CONSTRAINT_POLICY_WARN: ConstraintPolicy
CONSTRAINT_POLICY_ENFORCE: ConstraintPolicy

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

class ModelFile(_message.Message):
    __slots__ = ("sha256", "name", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    name: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., name: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Runtime(_message.Message):
    __slots__ = ("backend", "model_file", "module_file", "entry", "parameters")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FILE_FIELD_NUMBER: _ClassVar[int]
    MODULE_FILE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    backend: str
    model_file: ModelFile
    module_file: ModelFile
    entry: str
    parameters: _struct_pb2.Struct
    def __init__(self, backend: _Optional[str] = ..., model_file: _Optional[_Union[ModelFile, _Mapping]] = ..., module_file: _Optional[_Union[ModelFile, _Mapping]] = ..., entry: _Optional[str] = ..., parameters: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

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

class Family(_message.Message):
    __slots__ = ("family", "constraint_policy", "versions", "imported_at")
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    CONSTRAINT_POLICY_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    family: _Model_pb2.ModelFamily
    constraint_policy: ConstraintPolicy
    versions: _containers.RepeatedCompositeFieldContainer[Version]
    imported_at: _timestamp_pb2.Timestamp
    def __init__(self, family: _Optional[_Union[_Model_pb2.ModelFamily, _Mapping]] = ..., constraint_policy: _Optional[_Union[ConstraintPolicy, str]] = ..., versions: _Optional[_Iterable[_Union[Version, _Mapping]]] = ..., imported_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Version(_message.Message):
    __slots__ = ("version_id", "runtime", "offered", "problem")
    VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    OFFERED_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    version_id: str
    runtime: Runtime
    offered: bool
    problem: str
    def __init__(self, version_id: _Optional[str] = ..., runtime: _Optional[_Union[Runtime, _Mapping]] = ..., offered: bool = ..., problem: _Optional[str] = ...) -> None: ...

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
