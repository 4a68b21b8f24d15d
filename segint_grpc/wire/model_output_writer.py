"""Writes a ModelOutput mask by mask, so that no more than one mask's compressed bytes are in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc.domain.jobs import Result

Mask = NDArray[np.uint8] | NDArray[np.bool_]


def write_model_output(
    path: Path, version: Model_pb2.ModelVersion, masks: Iterable[tuple[Model_pb2.Structure, NDArray[Any]]]
) -> Result:
    """Write the ModelOutput of `version` to `path`, durably, and return its length and SHA-256.

    `masks` gives each structure with its mask_kji, bool or uint8, 0 outside and 1 inside; they are taken
    one at a time.

    Raises:
        OSError: the file cannot be written (ENOSPC where the disk is full); what there is of it is removed.
    """
    raise NotImplementedError


def encode_mask(mask_kji: NDArray[Any]) -> bytes:
    """Return the gzip (RFC 1952) of `mask_kji` (bool or uint8), one byte per voxel, slice-major."""
    raise NotImplementedError
