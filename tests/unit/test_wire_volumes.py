import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.wire.model_input_reader import ModelInputReader
from segint_grpc.wire.volume_decoder import VolumeDecoder
from segint_grpc.wire.volumes import DimensionsChanged, Limits, VoxelFile, check_volumes, decode_body

Volume = Primitives3D_pb2.VolumeData3D
LIMITS = Limits(channels_max=3, voxels_max=1000)
IMAGE_KJI = np.arange(24, dtype="<i2").reshape(2, 3, 4) - 12


@pytest.fixture
def path_of(tmp_path: Path) -> Callable[[int], Path]:
    return lambda channel: tmp_path / f"{channel}.raw"


def scan(data: bytes | None = None, **changes: int) -> Model_pb2.ModelInput:
    """A scan of one channel that holds IMAGE_KJI."""
    message = Model_pb2.ModelInput()
    channel = message.Channels.add(ChannelID="CT", VolumeID="secret")
    channel.CalibratedVolume.DataTransform.VoxelScalingInMM.Z = 2.5
    channel.CalibratedVolume.DataTransform.Origin.X = -100
    volume = channel.CalibratedVolume.Volume
    volume.Width, volume.Height, volume.Depth = 4, 3, 2
    volume.Data = gzip.compress(IMAGE_KJI.tobytes()) if data is None else data
    for name, value in changes.items():
        setattr(volume, name, value)
    return message


def decode(body: bytes, path_of: Callable[[int], Path], limits: Limits = LIMITS) -> list[VoxelFile]:
    """What the server does with a body that arrives."""
    with VolumeDecoder(path_of, limits.voxels_max * 2) as decoder:
        reader = ModelInputReader(decoder, channels_max=limits.channels_max)
        reader.feed(body)
        message = reader.finish()
        decoded = decoder.finish()
    return check_volumes(message, decoded, limits.voxels_max)


def decode_stored(body: bytes, path_of: Callable[[int], Path], limits: Limits = LIMITS) -> list[VoxelFile]:
    """What the server does with a body that lies on its disk."""
    stored = path_of(0).with_name("body.pb")
    stored.write_bytes(body)
    return decode_body(stored, path_of, limits)


either_way = pytest.mark.parametrize("decode", [decode, decode_stored], ids=["arriving", "stored"])
Decode = Callable[..., list[VoxelFile]]


def image_of(file: VoxelFile) -> list[object]:
    image_kji = np.fromfile(file.path, file.dtype).reshape(file.geometry.shape_kji)
    return [image_kji.dtype.str, image_kji.tolist()]


@either_way
def test_a_scan_becomes_a_file_of_raw_voxels_with_its_geometry(
    decode: Decode, path_of: Callable[[int], Path]
) -> None:
    (file,) = decode(scan().SerializeToString(), path_of)
    assert (file.channel_id, file.path, file.dtype) == ("CT", path_of(0), "<i2")
    assert file.geometry.shape_kji == (2, 3, 4)
    assert (file.geometry.spacing_xyz_mm[2], file.geometry.origin_xyz_mm[0]) == (2.5, -100)
    assert image_of(file) == ["<i2", IMAGE_KJI.tolist()]


@either_way
def test_a_scan_of_bytes_is_read_as_unsigned_bytes(decode: Decode, path_of: Callable[[int], Path]) -> None:
    image_kji = np.arange(232, 256, dtype=np.uint8).reshape(2, 3, 4)
    body = scan(gzip.compress(image_kji.tobytes()), DataType=Volume.Byte).SerializeToString()
    (file,) = decode(body, path_of)
    assert image_of(file) == ["|u1", image_kji.tolist()]


@either_way
def test_each_channel_has_its_own_size_and_type(decode: Decode, path_of: Callable[[int], Path]) -> None:
    message = scan()
    message.MergeFrom(scan(gzip.compress(bytes(35)), Width=7, Height=5, Depth=1, DataType=Volume.Byte))
    files = decode(message.SerializeToString(), path_of)
    assert [(f.path, f.dtype, f.geometry.shape_kji) for f in files] == [
        (path_of(0), "<i2", (2, 3, 4)),
        (path_of(1), "|u1", (1, 5, 7)),
    ]


MISMATCHES = {
    "a byte short": (scan(gzip.compress(bytes(47))), "47 bytes, but 48 are expected: 4 × 3 × 2"),
    "a byte long": (scan(gzip.compress(bytes(49))), "more than 48 bytes, but 48 are expected"),
    "a bomb": (scan(gzip.compress(bytes(10**7))), "more than 48 bytes"),
    "bytes sent as int16": (scan(gzip.compress(bytes(24))), "24 bytes, but 48 .* of 2 bytes"),
    "int16 sent as bytes": (scan(DataType=Volume.Byte), "48 bytes, but 24 .* of 1 bytes"),
    "no columns": (scan(Width=0), "no voxels: .* 0 × 3 × 2"),
    "no rows": (scan(Height=0), "no voxels"),
    "no slices": (scan(Depth=0), "no voxels"),
    "no dimensions and no Data": (scan(b"", Width=0, Height=0, Depth=0), "no voxels"),
    "Data that inflate to nothing": (scan(gzip.compress(b"")), "0 bytes, but 48"),
    "no Data": (scan(b""), "no Data; 48 bytes are expected"),
    "a channel without a volume": (Model_pb2.ModelInput(Channels=[{"ChannelID": "CT"}]), "no voxels"),
}


@either_way
@pytest.mark.parametrize(("message", "text"), MISMATCHES.values(), ids=MISMATCHES.keys())
def test_data_that_do_not_fit_the_dimensions_are_a_mismatch_that_names_both_sizes(
    decode: Decode, message: Model_pb2.ModelInput, text: str, path_of: Callable[[int], Path]
) -> None:
    with pytest.raises(errors.BufferSizeMismatch, match=text) as caught:
        decode(message.SerializeToString(), path_of)
    assert caught.type is errors.BufferSizeMismatch
    assert caught.value.message.startswith("Channel 1")


@either_way
@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(bytes(48))[:-1], gzip.compress(bytes(48)) + b"x"])
def test_data_that_are_no_intact_gzip_are_a_decompression_error(
    decode: Decode, data: bytes, path_of: Callable[[int], Path]
) -> None:
    with pytest.raises(errors.Decompression, match=r"Channel 1: Data is no intact gzip"):
        decode(scan(data).SerializeToString(), path_of)


@either_way
@pytest.mark.parametrize("changes", [{"DataType": 2}, {"CompressionMethod": 1}])
def test_a_format_this_server_does_not_know_is_the_clients_mistake(
    decode: Decode, changes: dict[str, int], path_of: Callable[[int], Path]
) -> None:
    with pytest.raises(errors.ClientMistake, match=r"unknown here; LittleEndianSignedInt16 \(0\)"):
        decode(scan(None, **changes).SerializeToString(), path_of)


@either_way
def test_a_volume_over_the_limit_is_too_large(decode: Decode, path_of: Callable[[int], Path]) -> None:
    message = scan(gzip.compress(bytes(26)), DataType=Volume.Byte, Width=13, Height=2, Depth=1)
    assert decode(message.SerializeToString(), path_of, Limits(1, 26))
    with pytest.raises(errors.TooLarge, match=r"Channel 1: .* up to 52 bytes .* at most 50"):
        decode(message.SerializeToString(), path_of, Limits(1, 25))
    with pytest.raises(errors.TooLarge, match=r"Channel 1 has 13 × 2 × 1 .* at most 25"):
        decode(reordered(message, "DataType"), path_of, Limits(1, 25))


def reordered(message: Model_pb2.ModelInput, first: str) -> bytes:
    """The bytes of `message` with the field `first` of its volume before, or if split off after, the rest."""
    rest = Model_pb2.ModelInput()
    rest.CopyFrom(message)
    part = Model_pb2.ModelInput()
    volume = rest.Channels[0].CalibratedVolume.Volume
    setattr(part.Channels.add().CalibratedVolume.Volume, first, getattr(volume, first))
    volume.ClearField(first)
    halves = (part.Channels[0].SerializeToString(), rest.Channels[0].SerializeToString())
    channel = Model_pb2.ModelInputChannel.FromString(halves[0] + halves[1])
    assert channel == message.Channels[0]
    return b"\x12" + bytes([len(halves[0]) + len(halves[1])]) + halves[0] + halves[1]


@either_way
def test_dimensions_may_come_after_data(decode: Decode, path_of: Callable[[int], Path]) -> None:
    (file,) = decode(reordered(scan(), "Data"), path_of)
    assert image_of(file) == ["<i2", IMAGE_KJI.tolist()]
    with pytest.raises(errors.BufferSizeMismatch, match="60 bytes, but 48"):
        decode(reordered(scan(gzip.compress(bytes(60))), "Data"), path_of)


def grown(message: Model_pb2.ModelInput, **before: int) -> bytes:
    """The bytes of `message` whose channel first says `before`, with Data, and afterwards the dimensions."""
    first = Model_pb2.ModelInputChannel()
    first.CopyFrom(message.Channels[0])
    for name, value in before.items():
        setattr(first.CalibratedVolume.Volume, name, value)
    later = Model_pb2.ModelInputChannel()
    later.CopyFrom(message.Channels[0])
    later.CalibratedVolume.Volume.ClearField("Data")
    channel = first.SerializeToString() + later.SerializeToString()
    return b"\x12" + bytes([len(channel) & 0x7F | 0x80, len(channel) >> 7]) + channel


def test_dimensions_that_grow_after_data_ask_for_decoding_the_stored_body(
    path_of: Callable[[int], Path],
) -> None:
    body = grown(scan(), Depth=1)
    assert Model_pb2.ModelInput.FromString(body) == scan()
    with pytest.raises(DimensionsChanged):
        decode(body, path_of)
    (file,) = decode_stored(body, path_of)
    assert image_of(file) == ["<i2", IMAGE_KJI.tolist()]


def test_dimensions_that_grow_beyond_data_or_short_of_them_are_a_mismatch(
    path_of: Callable[[int], Path],
) -> None:
    for size in (47, 49):
        with pytest.raises(errors.BufferSizeMismatch) as caught:
            decode_stored(grown(scan(gzip.compress(bytes(size))), Depth=1), path_of)
        assert caught.type is errors.BufferSizeMismatch


@either_way
def test_dimensions_that_shrink_after_data_are_the_ones_that_count(
    decode: Decode, path_of: Callable[[int], Path]
) -> None:
    (file,) = decode(grown(scan(), Depth=9), path_of)
    assert image_of(file) == ["<i2", IMAGE_KJI.tolist()]


def test_decoding_a_stored_body_that_is_no_scan_is_refused(path_of: Callable[[int], Path]) -> None:
    with pytest.raises(errors.UnparsableMessage):
        decode_stored(scan().SerializeToString()[:-1], path_of)


def test_decoding_a_stored_body_leaves_no_voxels_after_an_error(
    path_of: Callable[[int], Path], tmp_path: Path
) -> None:
    message = scan()
    message.MergeFrom(scan(gzip.compress(bytes(47))))
    for body in (message.SerializeToString(), message.SerializeToString()[:-1]):
        with pytest.raises(errors.SegIntError):
            decode_stored(body, path_of)
        assert [path.name for path in tmp_path.iterdir()] == ["body.pb"]


def test_no_error_names_the_clients_volume(path_of: Callable[[int], Path]) -> None:
    for message, _ in MISMATCHES.values():
        with pytest.raises(errors.SegIntError) as caught:
            decode(message.SerializeToString(), path_of)
        assert "secret" not in str(caught.value)
