from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScanHandling(_message.Message):
    __slots__ = ("input", "inference", "output", "limits")
    class Interpolation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INTERPOLATION_UNSPECIFIED: _ClassVar[ScanHandling.Interpolation]
        INTERPOLATION_LINEAR: _ClassVar[ScanHandling.Interpolation]
        INTERPOLATION_NEAREST: _ClassVar[ScanHandling.Interpolation]
        INTERPOLATION_CUBIC: _ClassVar[ScanHandling.Interpolation]
    INTERPOLATION_UNSPECIFIED: ScanHandling.Interpolation
    INTERPOLATION_LINEAR: ScanHandling.Interpolation
    INTERPOLATION_NEAREST: ScanHandling.Interpolation
    INTERPOLATION_CUBIC: ScanHandling.Interpolation
    class DataType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DATA_TYPE_UNSPECIFIED: _ClassVar[ScanHandling.DataType]
        DATA_TYPE_FLOAT32: _ClassVar[ScanHandling.DataType]
        DATA_TYPE_FLOAT16: _ClassVar[ScanHandling.DataType]
        DATA_TYPE_INT32: _ClassVar[ScanHandling.DataType]
        DATA_TYPE_INT16: _ClassVar[ScanHandling.DataType]
        DATA_TYPE_UINT8: _ClassVar[ScanHandling.DataType]
    DATA_TYPE_UNSPECIFIED: ScanHandling.DataType
    DATA_TYPE_FLOAT32: ScanHandling.DataType
    DATA_TYPE_FLOAT16: ScanHandling.DataType
    DATA_TYPE_INT32: ScanHandling.DataType
    DATA_TYPE_INT16: ScanHandling.DataType
    DATA_TYPE_UINT8: ScanHandling.DataType
    class Normalise(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NORMALISE_UNSPECIFIED: _ClassVar[ScanHandling.Normalise]
        NORMALISE_NONE: _ClassVar[ScanHandling.Normalise]
        NORMALISE_Z_SCORE: _ClassVar[ScanHandling.Normalise]
        NORMALISE_MIN_MAX: _ClassVar[ScanHandling.Normalise]
        NORMALISE_FIXED: _ClassVar[ScanHandling.Normalise]
        NORMALISE_PERCENTILE: _ClassVar[ScanHandling.Normalise]
    NORMALISE_UNSPECIFIED: ScanHandling.Normalise
    NORMALISE_NONE: ScanHandling.Normalise
    NORMALISE_Z_SCORE: ScanHandling.Normalise
    NORMALISE_MIN_MAX: ScanHandling.Normalise
    NORMALISE_FIXED: ScanHandling.Normalise
    NORMALISE_PERCENTILE: ScanHandling.Normalise
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[ScanHandling.Mode]
        MODE_WHOLE: _ClassVar[ScanHandling.Mode]
        MODE_SLIDING_WINDOW: _ClassVar[ScanHandling.Mode]
        MODE_SLICES: _ClassVar[ScanHandling.Mode]
    MODE_UNSPECIFIED: ScanHandling.Mode
    MODE_WHOLE: ScanHandling.Mode
    MODE_SLIDING_WINDOW: ScanHandling.Mode
    MODE_SLICES: ScanHandling.Mode
    class Blending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        BLENDING_UNSPECIFIED: _ClassVar[ScanHandling.Blending]
        BLENDING_GAUSSIAN: _ClassVar[ScanHandling.Blending]
        BLENDING_CONSTANT: _ClassVar[ScanHandling.Blending]
        BLENDING_NEAREST: _ClassVar[ScanHandling.Blending]
    BLENDING_UNSPECIFIED: ScanHandling.Blending
    BLENDING_GAUSSIAN: ScanHandling.Blending
    BLENDING_CONSTANT: ScanHandling.Blending
    BLENDING_NEAREST: ScanHandling.Blending
    class Plane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PLANE_UNSPECIFIED: _ClassVar[ScanHandling.Plane]
        PLANE_AXIAL: _ClassVar[ScanHandling.Plane]
        PLANE_CORONAL: _ClassVar[ScanHandling.Plane]
        PLANE_SAGITTAL: _ClassVar[ScanHandling.Plane]
    PLANE_UNSPECIFIED: ScanHandling.Plane
    PLANE_AXIAL: ScanHandling.Plane
    PLANE_CORONAL: ScanHandling.Plane
    PLANE_SAGITTAL: ScanHandling.Plane
    class Returns(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        RETURNS_UNSPECIFIED: _ClassVar[ScanHandling.Returns]
        RETURNS_MASKS: _ClassVar[ScanHandling.Returns]
        RETURNS_LABELS: _ClassVar[ScanHandling.Returns]
        RETURNS_PROBABILITIES: _ClassVar[ScanHandling.Returns]
        RETURNS_LOGITS: _ClassVar[ScanHandling.Returns]
    RETURNS_UNSPECIFIED: ScanHandling.Returns
    RETURNS_MASKS: ScanHandling.Returns
    RETURNS_LABELS: ScanHandling.Returns
    RETURNS_PROBABILITIES: ScanHandling.Returns
    RETURNS_LOGITS: ScanHandling.Returns
    class Reaction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REACTION_UNSPECIFIED: _ClassVar[ScanHandling.Reaction]
        REACTION_OFF: _ClassVar[ScanHandling.Reaction]
        REACTION_WARN: _ClassVar[ScanHandling.Reaction]
        REACTION_ENFORCE: _ClassVar[ScanHandling.Reaction]
    REACTION_UNSPECIFIED: ScanHandling.Reaction
    REACTION_OFF: ScanHandling.Reaction
    REACTION_WARN: ScanHandling.Reaction
    REACTION_ENFORCE: ScanHandling.Reaction
    class Input(_message.Message):
        __slots__ = ("channels", "orientation", "straighten", "spacing_mm", "interpolation", "dtype", "intensity", "crop", "padding")
        CHANNELS_FIELD_NUMBER: _ClassVar[int]
        ORIENTATION_FIELD_NUMBER: _ClassVar[int]
        STRAIGHTEN_FIELD_NUMBER: _ClassVar[int]
        SPACING_MM_FIELD_NUMBER: _ClassVar[int]
        INTERPOLATION_FIELD_NUMBER: _ClassVar[int]
        DTYPE_FIELD_NUMBER: _ClassVar[int]
        INTENSITY_FIELD_NUMBER: _ClassVar[int]
        CROP_FIELD_NUMBER: _ClassVar[int]
        PADDING_FIELD_NUMBER: _ClassVar[int]
        channels: _containers.RepeatedScalarFieldContainer[str]
        orientation: str
        straighten: bool
        spacing_mm: _containers.RepeatedScalarFieldContainer[float]
        interpolation: ScanHandling.Interpolation
        dtype: ScanHandling.DataType
        intensity: _containers.RepeatedCompositeFieldContainer[ScanHandling.Intensity]
        crop: ScanHandling.Crop
        padding: ScanHandling.Padding
        def __init__(self, channels: _Optional[_Iterable[str]] = ..., orientation: _Optional[str] = ..., straighten: bool = ..., spacing_mm: _Optional[_Iterable[float]] = ..., interpolation: _Optional[_Union[ScanHandling.Interpolation, str]] = ..., dtype: _Optional[_Union[ScanHandling.DataType, str]] = ..., intensity: _Optional[_Iterable[_Union[ScanHandling.Intensity, _Mapping]]] = ..., crop: _Optional[_Union[ScanHandling.Crop, _Mapping]] = ..., padding: _Optional[_Union[ScanHandling.Padding, _Mapping]] = ...) -> None: ...
    class Intensity(_message.Message):
        __slots__ = ("channel", "scale", "offset", "clip", "fill", "window", "normalise", "mean", "deviation", "range", "percentiles", "mask_above")
        CHANNEL_FIELD_NUMBER: _ClassVar[int]
        SCALE_FIELD_NUMBER: _ClassVar[int]
        OFFSET_FIELD_NUMBER: _ClassVar[int]
        CLIP_FIELD_NUMBER: _ClassVar[int]
        FILL_FIELD_NUMBER: _ClassVar[int]
        WINDOW_FIELD_NUMBER: _ClassVar[int]
        NORMALISE_FIELD_NUMBER: _ClassVar[int]
        MEAN_FIELD_NUMBER: _ClassVar[int]
        DEVIATION_FIELD_NUMBER: _ClassVar[int]
        RANGE_FIELD_NUMBER: _ClassVar[int]
        PERCENTILES_FIELD_NUMBER: _ClassVar[int]
        MASK_ABOVE_FIELD_NUMBER: _ClassVar[int]
        channel: str
        scale: float
        offset: float
        clip: _containers.RepeatedScalarFieldContainer[float]
        fill: float
        window: _containers.RepeatedScalarFieldContainer[float]
        normalise: ScanHandling.Normalise
        mean: float
        deviation: float
        range: _containers.RepeatedScalarFieldContainer[float]
        percentiles: _containers.RepeatedScalarFieldContainer[float]
        mask_above: float
        def __init__(self, channel: _Optional[str] = ..., scale: _Optional[float] = ..., offset: _Optional[float] = ..., clip: _Optional[_Iterable[float]] = ..., fill: _Optional[float] = ..., window: _Optional[_Iterable[float]] = ..., normalise: _Optional[_Union[ScanHandling.Normalise, str]] = ..., mean: _Optional[float] = ..., deviation: _Optional[float] = ..., range: _Optional[_Iterable[float]] = ..., percentiles: _Optional[_Iterable[float]] = ..., mask_above: _Optional[float] = ...) -> None: ...
    class Crop(_message.Message):
        __slots__ = ("above", "margin_mm")
        ABOVE_FIELD_NUMBER: _ClassVar[int]
        MARGIN_MM_FIELD_NUMBER: _ClassVar[int]
        above: float
        margin_mm: float
        def __init__(self, above: _Optional[float] = ..., margin_mm: _Optional[float] = ...) -> None: ...
    class Padding(_message.Message):
        __slots__ = ("min_size", "multiple_of")
        MIN_SIZE_FIELD_NUMBER: _ClassVar[int]
        MULTIPLE_OF_FIELD_NUMBER: _ClassVar[int]
        min_size: _containers.RepeatedScalarFieldContainer[int]
        multiple_of: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, min_size: _Optional[_Iterable[int]] = ..., multiple_of: _Optional[_Iterable[int]] = ...) -> None: ...
    class Inference(_message.Message):
        __slots__ = ("mode", "window", "overlap", "blending", "planes", "tile_batch", "flips", "mixed_precision", "axes", "coarse", "hurried")
        MODE_FIELD_NUMBER: _ClassVar[int]
        WINDOW_FIELD_NUMBER: _ClassVar[int]
        OVERLAP_FIELD_NUMBER: _ClassVar[int]
        BLENDING_FIELD_NUMBER: _ClassVar[int]
        PLANES_FIELD_NUMBER: _ClassVar[int]
        TILE_BATCH_FIELD_NUMBER: _ClassVar[int]
        FLIPS_FIELD_NUMBER: _ClassVar[int]
        MIXED_PRECISION_FIELD_NUMBER: _ClassVar[int]
        AXES_FIELD_NUMBER: _ClassVar[int]
        COARSE_FIELD_NUMBER: _ClassVar[int]
        HURRIED_FIELD_NUMBER: _ClassVar[int]
        mode: ScanHandling.Mode
        window: _containers.RepeatedScalarFieldContainer[int]
        overlap: float
        blending: ScanHandling.Blending
        planes: _containers.RepeatedScalarFieldContainer[ScanHandling.Plane]
        tile_batch: int
        flips: _containers.RepeatedScalarFieldContainer[str]
        mixed_precision: bool
        axes: str
        coarse: ScanHandling.Coarse
        hurried: ScanHandling.Hurried
        def __init__(self, mode: _Optional[_Union[ScanHandling.Mode, str]] = ..., window: _Optional[_Iterable[int]] = ..., overlap: _Optional[float] = ..., blending: _Optional[_Union[ScanHandling.Blending, str]] = ..., planes: _Optional[_Iterable[_Union[ScanHandling.Plane, str]]] = ..., tile_batch: _Optional[int] = ..., flips: _Optional[_Iterable[str]] = ..., mixed_precision: bool = ..., axes: _Optional[str] = ..., coarse: _Optional[_Union[ScanHandling.Coarse, _Mapping]] = ..., hurried: _Optional[_Union[ScanHandling.Hurried, _Mapping]] = ...) -> None: ...
    class Coarse(_message.Message):
        __slots__ = ("spacing_mm", "margin_mm")
        SPACING_MM_FIELD_NUMBER: _ClassVar[int]
        MARGIN_MM_FIELD_NUMBER: _ClassVar[int]
        spacing_mm: _containers.RepeatedScalarFieldContainer[float]
        margin_mm: float
        def __init__(self, spacing_mm: _Optional[_Iterable[float]] = ..., margin_mm: _Optional[float] = ...) -> None: ...
    class Hurried(_message.Message):
        __slots__ = ("overlap", "drop_flips", "planes")
        OVERLAP_FIELD_NUMBER: _ClassVar[int]
        DROP_FLIPS_FIELD_NUMBER: _ClassVar[int]
        PLANES_FIELD_NUMBER: _ClassVar[int]
        overlap: float
        drop_flips: bool
        planes: _containers.RepeatedScalarFieldContainer[ScanHandling.Plane]
        def __init__(self, overlap: _Optional[float] = ..., drop_flips: bool = ..., planes: _Optional[_Iterable[_Union[ScanHandling.Plane, str]]] = ...) -> None: ...
    class Output(_message.Message):
        __slots__ = ("returns", "exclusive", "threshold", "largest_component", "fill_holes", "smallest_ml", "structures")
        RETURNS_FIELD_NUMBER: _ClassVar[int]
        EXCLUSIVE_FIELD_NUMBER: _ClassVar[int]
        THRESHOLD_FIELD_NUMBER: _ClassVar[int]
        LARGEST_COMPONENT_FIELD_NUMBER: _ClassVar[int]
        FILL_HOLES_FIELD_NUMBER: _ClassVar[int]
        SMALLEST_ML_FIELD_NUMBER: _ClassVar[int]
        STRUCTURES_FIELD_NUMBER: _ClassVar[int]
        returns: ScanHandling.Returns
        exclusive: bool
        threshold: float
        largest_component: bool
        fill_holes: bool
        smallest_ml: float
        structures: _containers.RepeatedCompositeFieldContainer[ScanHandling.StructureOutput]
        def __init__(self, returns: _Optional[_Union[ScanHandling.Returns, str]] = ..., exclusive: bool = ..., threshold: _Optional[float] = ..., largest_component: bool = ..., fill_holes: bool = ..., smallest_ml: _Optional[float] = ..., structures: _Optional[_Iterable[_Union[ScanHandling.StructureOutput, _Mapping]]] = ...) -> None: ...
    class StructureOutput(_message.Message):
        __slots__ = ("id", "label", "threshold", "largest_component", "fill_holes", "smallest_ml")
        ID_FIELD_NUMBER: _ClassVar[int]
        LABEL_FIELD_NUMBER: _ClassVar[int]
        THRESHOLD_FIELD_NUMBER: _ClassVar[int]
        LARGEST_COMPONENT_FIELD_NUMBER: _ClassVar[int]
        FILL_HOLES_FIELD_NUMBER: _ClassVar[int]
        SMALLEST_ML_FIELD_NUMBER: _ClassVar[int]
        id: str
        label: int
        threshold: float
        largest_component: bool
        fill_holes: bool
        smallest_ml: float
        def __init__(self, id: _Optional[str] = ..., label: _Optional[int] = ..., threshold: _Optional[float] = ..., largest_component: bool = ..., fill_holes: bool = ..., smallest_ml: _Optional[float] = ...) -> None: ...
    class Limits(_message.Message):
        __slots__ = ("deadline_s", "memory_bytes", "spacing", "dimensions", "axial", "ct_values", "gpu_memory_bytes")
        DEADLINE_S_FIELD_NUMBER: _ClassVar[int]
        MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
        SPACING_FIELD_NUMBER: _ClassVar[int]
        DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
        AXIAL_FIELD_NUMBER: _ClassVar[int]
        CT_VALUES_FIELD_NUMBER: _ClassVar[int]
        GPU_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
        deadline_s: float
        memory_bytes: int
        spacing: ScanHandling.Reaction
        dimensions: ScanHandling.Reaction
        axial: ScanHandling.Reaction
        ct_values: ScanHandling.Reaction
        gpu_memory_bytes: int
        def __init__(self, deadline_s: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., spacing: _Optional[_Union[ScanHandling.Reaction, str]] = ..., dimensions: _Optional[_Union[ScanHandling.Reaction, str]] = ..., axial: _Optional[_Union[ScanHandling.Reaction, str]] = ..., ct_values: _Optional[_Union[ScanHandling.Reaction, str]] = ..., gpu_memory_bytes: _Optional[int] = ...) -> None: ...
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    input: ScanHandling.Input
    inference: ScanHandling.Inference
    output: ScanHandling.Output
    limits: ScanHandling.Limits
    def __init__(self, input: _Optional[_Union[ScanHandling.Input, _Mapping]] = ..., inference: _Optional[_Union[ScanHandling.Inference, _Mapping]] = ..., output: _Optional[_Union[ScanHandling.Output, _Mapping]] = ..., limits: _Optional[_Union[ScanHandling.Limits, _Mapping]] = ...) -> None: ...
