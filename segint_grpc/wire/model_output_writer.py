"""Writes a ModelOutput mask by mask, so that only one mask's compressed bytes are in memory at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc.domain.jobs import Result
from segint_grpc.wire.encoding import length_header
from segint_grpc.wire.fast_gzip import gzip_compressor

Volume3D = Primitives3D_pb2.VolumeData3D
Channel = Model_pb2.ModelOutputChannel


def write_model_output(
    path: Path, version: Model_pb2.ModelVersion, masks: Iterable[tuple[Model_pb2.Structure, NDArray[Any]]]
) -> Result:
    """Write the ModelOutput of `version` to `path`, durably, and return its length and SHA-256.

    `masks` gives each structure with its mask_kji, bool or uint8, 0 outside and 1 inside; they are taken
    one at a time. The bytes are those that protobuf itself would write.

    Raises:
        ValueError: a mask is not three-dimensional, or of another dtype.
        OSError: the file cannot be written (ENOSPC where the disk is full); what there is of it is removed.
    """
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with path.open("wb") as file:
            for part in _parts(version, masks):
                file.write(part)
                digest.update(part)
                size_bytes += len(part)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Result(size_bytes, digest.hexdigest())


def encode_mask(mask_kji: NDArray[Any]) -> bytes:
    """Return the gzip (RFC 1952) of `mask_kji` (bool or uint8), one byte per voxel, slice-major.

    A mask in C order is compressed where it lies; of any other, one slice at a time is copied.

    Raises:
        ValueError: the mask is not three-dimensional, or of another dtype.
    """
    if mask_kji.ndim != 3 or mask_kji.dtype not in (np.bool_, np.uint8):
        raise ValueError(
            f"a mask is bool or uint8 of shape (k, j, i), not {mask_kji.dtype} of shape {mask_kji.shape}"
        )
    compressor = gzip_compressor()
    parts = [compressor.compress(np.ascontiguousarray(slice_ji).view(np.uint8)) for slice_ji in mask_kji]
    return b"".join((*parts, compressor.flush()))


def _parts(
    version: Model_pb2.ModelVersion, masks: Iterable[tuple[Model_pb2.Structure, NDArray[Any]]]
) -> Iterator[bytes]:
    for structure, mask_kji in masks:
        yield from _channel(structure, mask_kji.shape, encode_mask(mask_kji))
    yield Model_pb2.ModelOutput(
        ModelID=version.ID,
        ProcesserVersion=f"{version.MajorVersion}.{version.MinorVersion}",
        LanguageCode=version.LanguageCode,
    ).SerializeToString()


def _channel(structure: Model_pb2.Structure, shape_kji: tuple[int, ...], data: bytes) -> Iterator[bytes]:
    """Yield a ModelOutputChannel as a field of ModelOutput: what goes before `data`, `data`, what follows."""
    depth, height, width = shape_kji
    dimensions = Volume3D(Width=width, Height=height, Depth=depth).SerializeToString()
    before_data = dimensions + length_header(Volume3D.DATA_FIELD_NUMBER, len(data))
    after_data = Volume3D(DataType=Volume3D.Byte).SerializeToString()
    volume_bytes = len(before_data) + len(data) + len(after_data)
    before_volume = Channel(Structure=structure).SerializeToString()
    before_volume += length_header(Channel.VOLUME_FIELD_NUMBER, volume_bytes)
    yield length_header(Model_pb2.ModelOutput.CHANNELS_FIELD_NUMBER, len(before_volume) + volume_bytes)
    yield before_volume
    yield before_data
    yield data
    yield after_data
