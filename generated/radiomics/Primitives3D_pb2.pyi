from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Vector3D(_message.Message):
    __slots__ = ("X", "Y", "Z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    X: float
    Y: float
    Z: float
    def __init__(self, X: _Optional[float] = ..., Y: _Optional[float] = ..., Z: _Optional[float] = ...) -> None: ...

class Transform3D(_message.Message):
    __slots__ = ("XAxisDirection", "YAxisDirection", "ZAxisDirection", "VoxelScalingInMM", "Origin")
    XAXISDIRECTION_FIELD_NUMBER: _ClassVar[int]
    YAXISDIRECTION_FIELD_NUMBER: _ClassVar[int]
    ZAXISDIRECTION_FIELD_NUMBER: _ClassVar[int]
    VOXELSCALINGINMM_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    XAxisDirection: Vector3D
    YAxisDirection: Vector3D
    ZAxisDirection: Vector3D
    VoxelScalingInMM: Vector3D
    Origin: Vector3D
    def __init__(self, XAxisDirection: _Optional[_Union[Vector3D, _Mapping]] = ..., YAxisDirection: _Optional[_Union[Vector3D, _Mapping]] = ..., ZAxisDirection: _Optional[_Union[Vector3D, _Mapping]] = ..., VoxelScalingInMM: _Optional[_Union[Vector3D, _Mapping]] = ..., Origin: _Optional[_Union[Vector3D, _Mapping]] = ...) -> None: ...

class CalibratedVolume3D(_message.Message):
    __slots__ = ("DataTransform", "Volume")
    DATATRANSFORM_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    DataTransform: Transform3D
    Volume: VolumeData3D
    def __init__(self, DataTransform: _Optional[_Union[Transform3D, _Mapping]] = ..., Volume: _Optional[_Union[VolumeData3D, _Mapping]] = ...) -> None: ...

class VolumeData3D(_message.Message):
    __slots__ = ("Width", "Height", "Depth", "Data", "DataType", "CompressionMethod")
    class DataTypes(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LittleEndianSignedInt16: _ClassVar[VolumeData3D.DataTypes]
        Byte: _ClassVar[VolumeData3D.DataTypes]
    LittleEndianSignedInt16: VolumeData3D.DataTypes
    Byte: VolumeData3D.DataTypes
    class CompressionMethods(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        Gzip: _ClassVar[VolumeData3D.CompressionMethods]
    Gzip: VolumeData3D.CompressionMethods
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATATYPE_FIELD_NUMBER: _ClassVar[int]
    COMPRESSIONMETHOD_FIELD_NUMBER: _ClassVar[int]
    Width: int
    Height: int
    Depth: int
    Data: bytes
    DataType: VolumeData3D.DataTypes
    CompressionMethod: VolumeData3D.CompressionMethods
    def __init__(self, Width: _Optional[int] = ..., Height: _Optional[int] = ..., Depth: _Optional[int] = ..., Data: _Optional[bytes] = ..., DataType: _Optional[_Union[VolumeData3D.DataTypes, str]] = ..., CompressionMethod: _Optional[_Union[VolumeData3D.CompressionMethods, str]] = ...) -> None: ...

class DoubleValue(_message.Message):
    __slots__ = ("Value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    Value: float
    def __init__(self, Value: _Optional[float] = ...) -> None: ...
