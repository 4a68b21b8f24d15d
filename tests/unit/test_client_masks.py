"""A mask that cannot be placed on the scan's grid is refused; file names never meet."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import numpy as np
import pytest

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.client.masks import Mask, decode_masks, file_names
from segint_grpc.client.scan import Scan, frame_of
from segint_grpc.domain.geometry import Geometry


def scan(shape: tuple[int, int, int] = (2, 3, 4)) -> Scan:
    geometry = Geometry(shape, (1, 2, 5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    return Scan(np.zeros(shape, np.int16), geometry, frame_of(geometry), "made for a test")


def output(
    inside: bytes, shape: tuple[int, int, int] = (2, 3, 4), channel_id: str = "CT"
) -> Model_pb2.ModelOutput:
    volume = Primitives3D_pb2.VolumeData3D(
        Depth=shape[0],
        Height=shape[1],
        Width=shape[2],
        Data=gzip.compress(inside),
        DataType=Primitives3D_pb2.VolumeData3D.Byte,
    )
    structure = Model_pb2.Structure(Name="liver", InputChannelID=channel_id)
    return Model_pb2.ModelOutput(Channels=[Model_pb2.ModelOutputChannel(Structure=structure, Volume=volume)])


INSIDE = bytes([0, 1] * 12)


def test_a_mask_is_indexed_slice_row_column_and_knows_its_volume() -> None:
    (mask,) = decode_masks(output(INSIDE), {"CT": scan()})
    assert np.array_equal(mask.mask_kji, np.frombuffer(INSIDE, np.uint8).reshape(2, 3, 4))
    assert mask.volume_ml == pytest.approx(12 * 10 / 1000)


def test_each_mask_lies_on_the_grid_of_its_own_channel() -> None:
    scans = {"PET": scan((1, 2, 3)), "CT": scan()}
    (mask,) = decode_masks(output(INSIDE), scans)
    assert mask.scan is scans["CT"]


def spoiled(change: Callable[[Primitives3D_pb2.VolumeData3D], None]) -> Model_pb2.ModelOutput:
    result = output(INSIDE)
    change(result.Channels[0].Volume)
    return result


def damage(volume: Primitives3D_pb2.VolumeData3D) -> None:
    volume.Data = b"no gzip at all"


def cut(volume: Primitives3D_pb2.VolumeData3D) -> None:
    volume.Data = volume.Data[:-6]


def as_int16(volume: Primitives3D_pb2.VolumeData3D) -> None:
    volume.DataType = Primitives3D_pb2.VolumeData3D.LittleEndianSignedInt16


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (output(INSIDE, (2, 4, 3)), r"\(2, 4, 3\).*\(2, 3, 4\).*cannot be placed"),
        (output(INSIDE[:-1]), "does not inflate to its 24 voxels"),
        (output(INSIDE + b"\0"), "does not inflate to its 24 voxels"),
        (output(bytes(10_000_000)), "does not inflate to its 24 voxels"),
        (output(bytes([0, 2] * 12)), "holds 2, not only 0 and 1"),
        (spoiled(damage), "damaged"),
        (spoiled(cut), "does not inflate"),
        (spoiled(as_int16), "data type Byte"),
    ],
)
def test_a_mask_that_cannot_be_trusted_is_refused(result: Model_pb2.ModelOutput, sentence: str) -> None:
    with pytest.raises(errors.WrongOutput, match=sentence):
        decode_masks(result, {"CT": scan()})


def test_a_mask_of_a_channel_that_was_not_sent_is_refused() -> None:
    with pytest.raises(errors.WrongOutput, match="'MR'"):
        decode_masks(output(INSIDE, channel_id="MR"), {"PET": scan(), "CT": scan()})


def test_file_names_come_from_the_structures_and_never_meet() -> None:
    names = ["Liver", "liver", "../../etc/passwd", "GTV (primary)", "", "Größe 1", "liver"]
    masks = [Mask(Model_pb2.Structure(Name=name), np.zeros((1, 1, 1), np.uint8), scan()) for name in names]
    assert file_names(masks, ".nii.gz") == [
        "Liver.nii.gz",
        "liver_2.nii.gz",
        "etc_passwd.nii.gz",
        "GTV_primary.nii.gz",
        "structure.nii.gz",
        "Größe_1.nii.gz",
        "liver_3.nii.gz",
    ]
