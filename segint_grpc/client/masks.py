"""Takes the masks out of a ModelOutput and checks that each lies on its scan's grid."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

import isal.isal_zlib
import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.client.request import GZIP_WINDOW_BITS
from segint_grpc.client.scan import Scan

# The library's stub declares an instance where it has a class.
INFLATE_ERROR = cast(type[Exception], isal.isal_zlib.IsalError)


@dataclass(frozen=True)
class Mask:
    """One structure: mask_kji (uint8, 0 outside, 1 inside) on the grid of `scan`."""

    structure: Model_pb2.Structure
    mask_kji: NDArray[np.uint8]
    scan: Scan

    @property
    def volume_ml(self) -> float:
        """The volume of the voxels inside, in millilitres."""
        voxel_mm3 = float(np.prod(self.scan.geometry.spacing_xyz_mm))
        return int(np.count_nonzero(self.mask_kji)) * voxel_mm3 / 1000

    @property
    def color(self) -> tuple[int, int, int]:
        """Red, green and blue, 0 to 255."""
        color = self.structure.Color
        return (min(color.R, 255), min(color.G, 255), min(color.B, 255))


def decode_masks(output: Model_pb2.ModelOutput, scans: Mapping[str, Scan]) -> list[Mask]:
    """Return the masks of a result, in its order.

    Args:
        output: the result; its volumes' Data is taken out while decoding.
        scans: the scans that were sent, by ChannelID.

    Raises:
        WrongOutput: a mask is damaged, lies on no sent scan's grid or holds other values than 0 and 1.
    """
    return [_decode(channel, scans) for channel in output.Channels]


def _decode(channel: Model_pb2.ModelOutputChannel, scans: Mapping[str, Scan]) -> Mask:
    structure, volume = channel.Structure, channel.Volume
    scan = next(iter(scans.values())) if len(scans) == 1 else scans.get(structure.InputChannelID)
    if scan is None:
        raise errors.WrongOutput(
            f"{structure.Name} belongs to the channel {structure.InputChannelID!r}; sent were {list(scans)}."
        )
    shape = (volume.Depth, volume.Height, volume.Width)
    if shape != scan.geometry.shape_kji:
        raise errors.WrongOutput(
            f"The mask of {structure.Name} has {shape} slices, rows and columns, the scan has "
            f"{scan.geometry.shape_kji}: it cannot be placed."
        )
    if volume.DataType != Primitives3D_pb2.VolumeData3D.Byte:
        raise errors.WrongOutput(f"The mask of {structure.Name} is not of the data type Byte.")
    mask_kji = np.frombuffer(_inflate(volume.Data, structure.Name, int(np.prod(shape))), np.uint8).reshape(
        shape
    )
    volume.ClearField("Data")
    if mask_kji.max(initial=0) > 1:
        raise errors.WrongOutput(f"The mask of {structure.Name} holds {mask_kji.max()}, not only 0 and 1.")
    return Mask(structure, mask_kji, scan)


def _inflate(data: bytes, name: str, expected_bytes: int) -> bytes:
    inflater = isal.isal_zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
    try:
        voxels = inflater.decompress(data, expected_bytes + 1)
    except INFLATE_ERROR as error:
        raise errors.WrongOutput(f"The mask of {name} is damaged: {error}") from None
    if len(voxels) != expected_bytes or not inflater.eof:
        raise errors.WrongOutput(
            f"The mask of {name} does not inflate to its {expected_bytes} voxels; the result is damaged."
        )
    return voxels


def file_names(masks: Iterable[Mask], suffix: str) -> list[str]:
    """Return a file name for each mask, from its structure's name, no two alike on any file system."""
    names: list[str] = []
    taken: set[str] = set()
    for mask in masks:
        text = unicodedata.normalize("NFC", mask.structure.Name or mask.structure.StructureID)
        stem = re.sub(r"[^\w+-]+", "_", text).strip("_")[:80] or "structure"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name.casefold())
        names.append(name + suffix)
    return names
