"""From a read ModelInput and its decoded Data to voxel files that are known to fit their dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry, geometry_of
from segint_grpc.wire.model_input_reader import ModelInputReader
from segint_grpc.wire.volume_decoder import Decoded, VolumeDecoder

CHUNK_BYTES = 1024 * 1024
BYTES_PER_VOXEL_MAX = 2
"""Of the wire's data types; so voxels × this is the most that any volume inflates to, in bytes."""

Volume3D = Primitives3D_pb2.VolumeData3D
_DTYPES = {Volume3D.LittleEndianSignedInt16: ("<i2", 2), Volume3D.Byte: ("|u1", 1)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold: channels, and voxels in each volume."""

    channels_max: int
    voxels_max: int


@dataclass(frozen=True, slots=True)
class VoxelFile:
    """Raw voxels [k, j, i] of one channel; `dtype` is '<i2' or '|u1' (numpy's array interface)."""

    channel_id: str
    path: Path
    dtype: str
    geometry: Geometry


class DimensionsChanged(errors.BufferSizeMismatch):
    """The dimensions grew after Data had begun; only decoding the whole body again gives the voxels."""


def check_volumes(
    message: Model_pb2.ModelInput, decoded: Mapping[int, Decoded], voxels_max: int
) -> list[VoxelFile]:
    """Return the voxel files of all channels in the message's order.

    Raises:
        BufferSizeMismatch: a dimension is zero, or Data has another length than the dimensions say.
        DimensionsChanged: the same, but `decode_body` may find them right.
        Decompression: Data is no intact gzip.
        ClientMistake: a data type or compression that this server does not know.
        TooLarge: a volume has more than `voxels_max` voxels.
        JobFailure: the voxels could not be written (disk full).
    """
    return [
        _check_volume(f"Channel {index + 1}", channel, decoded.get(index), voxels_max)
        for index, channel in enumerate(message.Channels)
    ]


def decode_body(path: Path, path_of: Callable[[int], Path], limits: Limits) -> list[VoxelFile]:
    """Decode the stored body `path` anew into the files `path_of(channel)`; after an error there are none.

    Raises:
        UnparsableMessage: the body is no ModelInput.
        OSError: the body cannot be read.
        SegIntError: whatever the reader and `check_volumes` raise, DimensionsChanged aside.
    """
    try:
        return _decode_once(path, path_of, limits, {})
    except DimensionsChanged:
        final_bytes = _final_bytes(_skim(path, limits))
        return _decode_once(path, path_of, limits, final_bytes)


def _check_volume(
    name: str, channel: Model_pb2.ModelInputChannel, decoded: Decoded | None, voxels_max: int
) -> VoxelFile:
    volume = channel.CalibratedVolume.Volume
    voxels = volume.Width * volume.Height * volume.Depth
    shape = f"{volume.Width} × {volume.Height} × {volume.Depth} voxels (width × height × depth)"
    if volume.DataType not in _DTYPES or volume.CompressionMethod != Volume3D.Gzip:
        raise errors.ClientMistake(
            f"{name}: DataType {volume.DataType} with CompressionMethod {volume.CompressionMethod} is unknown"
            " here; LittleEndianSignedInt16 (0) or Byte (1), with Gzip (0), are expected."
        )
    if voxels == 0:
        raise errors.BufferSizeMismatch(f"{name} has no voxels: its dimensions are {shape}.")
    if voxels > voxels_max:
        raise errors.TooLarge(f"{name} has {shape}; this server takes at most {voxels_max} voxels.")
    dtype, bytes_per_voxel = _DTYPES[volume.DataType]
    path = _check_size(name, decoded, voxels * bytes_per_voxel, f"{shape} of {bytes_per_voxel} bytes")
    return VoxelFile(channel.ChannelID, path, dtype, geometry_of(channel.CalibratedVolume))


def _check_size(name: str, decoded: Decoded | None, expected_bytes: int, shape: str) -> Path:
    if decoded is None:
        raise errors.BufferSizeMismatch(f"{name} has no Data; {expected_bytes} bytes are expected: {shape}.")
    if decoded.error is not None:
        raise type(decoded.error)(f"{name}: {decoded.error.message}")
    if decoded.size_bytes == expected_bytes:
        return decoded.path
    stopped = decoded.size_bytes > decoded.bound_bytes
    grown = stopped and expected_bytes > decoded.bound_bytes
    kind = DimensionsChanged if grown else errors.BufferSizeMismatch
    amount = f"more than {decoded.bound_bytes}" if stopped else f"{decoded.size_bytes}"
    raise kind(f"{name}: Data inflates to {amount} bytes, but {expected_bytes} are expected: {shape}.")


def _decode_once(
    path: Path, path_of: Callable[[int], Path], limits: Limits, final_bytes: Mapping[int, int]
) -> list[VoxelFile]:
    with VolumeDecoder(path_of, limits.voxels_max * BYTES_PER_VOXEL_MAX, final_bytes) as decoder:
        message = _read(path, ModelInputReader(decoder, channels_max=limits.channels_max))
        decoded = decoder.finish()
    try:
        return check_volumes(message, decoded, limits.voxels_max)
    except errors.SegIntError:
        for channel in decoded.values():
            channel.path.unlink(missing_ok=True)
        raise


def _read(path: Path, reader: ModelInputReader) -> Model_pb2.ModelInput:
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK_BYTES):
            reader.feed(chunk)
    return reader.finish()


class _Nowhere:
    """A DataSink that takes no notice."""

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        pass

    def write(self, piece: memoryview) -> None:
        pass

    def end(self) -> None:
        pass


def _skim(path: Path, limits: Limits) -> Model_pb2.ModelInput:
    """Return the message of the body `path` without decoding its Data."""
    return _read(path, ModelInputReader(_Nowhere(), channels_max=limits.channels_max))


def _final_bytes(message: Model_pb2.ModelInput) -> dict[int, int]:
    """Return what each channel's Data should inflate to, where the message says it."""
    volumes = {index: channel.CalibratedVolume.Volume for index, channel in enumerate(message.Channels)}
    return {
        index: volume.Width * volume.Height * volume.Depth * _DTYPES[volume.DataType][1]
        for index, volume in volumes.items()
        if volume.DataType in _DTYPES and volume.Width * volume.Height * volume.Depth > 0
    }
