"""Reads the masks of a ModelOutput back, each into a file of raw voxels, so that no mask is in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.wire.fast_gzip import GZIP_ERRORS, open_gzip

CHUNK_BYTES = 1024 * 1024


def read_masks(
    path: Path, path_of: Callable[[int], Path], shapes_kji: dict[str, tuple[int, int, int]]
) -> dict[str, NDArray[Any]]:
    """Return StructureID → mask_kji, uint8, a read-only memory map of the file `path_of(number)`.

    `shapes_kji` says what every structure's mask must look like; the result was written by a process that
    ran a model's code, so nothing in it is taken for granted.

    Raises:
        WrongOutput: the file is no such result.
    """
    try:
        message = Model_pb2.ModelOutput.FromString(path.read_bytes())
    except (DecodeError, OSError) as error:
        raise errors.WrongOutput(f"The result cannot be read back ({type(error).__name__}).") from None
    found = [channel.Structure.StructureID for channel in message.Channels]
    if sorted(found) != sorted(shapes_kji):
        raise errors.WrongOutput(f"The result holds the structures {found}, not {sorted(shapes_kji)}.")
    return {
        channel.Structure.StructureID: _inflate(
            channel.Volume.Data, path_of(number), shapes_kji[channel.Structure.StructureID]
        )
        for number, channel in enumerate(message.Channels)
    }


def _inflate(data: bytes, path: Path, shape_kji: tuple[int, int, int]) -> NDArray[Any]:
    expected = shape_kji[0] * shape_kji[1] * shape_kji[2]
    written = 0
    try:
        with path.open("wb") as file, open_gzip(io.BytesIO(data)) as stream:  # type: ignore[arg-type]
            while written <= expected and (piece := stream.read(CHUNK_BYTES)):
                file.write(piece)
                written += len(piece)
    except GZIP_ERRORS:
        raise errors.WrongOutput("A mask of the result is no intact gzip.") from None
    if written != expected:
        raise errors.WrongOutput(f"A mask of the result holds {written} voxels instead of {expected}.")
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape_kji)
