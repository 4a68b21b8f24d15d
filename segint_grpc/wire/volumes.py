"""From a read ModelInput and its decoded Data to voxel files that are known to fit their dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry
from segint_grpc.wire.volume_decoder import Decoded


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold: channels, and voxels of each volume."""

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
        ClientMistake: a data type or compression this server does not know.
        TooLarge: a volume has more than `voxels_max` voxels.
        JobFailure: the voxels could not be written (disk full).
    """
    raise NotImplementedError


def decode_body(path: Path, path_of: Callable[[int], Path], limits: Limits) -> list[VoxelFile]:
    """Decode the stored body `path` anew into `path_of(channel)`; raises as the reader and `check_volumes`.

    Raises:
        UnparsableMessage: the body is no ModelInput.
        OSError: the body cannot be read.
    """
    raise NotImplementedError
