import gzip
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc.wire.encoding import length_header, varint
from segint_grpc.wire.model_output_writer import encode_mask, write_model_output

Volume = Primitives3D_pb2.VolumeData3D
VERSION = Model_pb2.ModelVersion(ID="Liver v2", MajorVersion=2, MinorVersion=10, LanguageCode="en")


def box(shape_kji: tuple[int, int, int]) -> NDArray[np.bool_]:
    mask_kji = np.zeros(shape_kji, bool)
    mask_kji[tuple(slice(size // 4, size // 2) for size in shape_kji)] = True
    return mask_kji


def structure(name: str) -> Model_pb2.Structure:
    return Model_pb2.Structure(
        Name=name, StructureID=name.lower(), InputChannelID="1", Type=Model_pb2.Structure.Organ
    )


def expected(masks: list[tuple[Model_pb2.Structure, NDArray[Any]]]) -> Model_pb2.ModelOutput:
    """The message as protobuf builds it, with this server's gzip of each mask."""
    output = Model_pb2.ModelOutput(ModelID="Liver v2", ProcesserVersion="2.10", LanguageCode="en")
    for entry, mask_kji in masks:
        depth, height, width = mask_kji.shape
        volume = Volume(Width=width, Height=height, Depth=depth, DataType=Volume.Byte)
        volume.Data = encode_mask(mask_kji)
        output.Channels.add(Structure=entry, Volume=volume)
    return output


def test_an_output_is_byte_for_byte_what_protobuf_writes(tmp_path: Path) -> None:
    masks = [(structure("Liver"), box((8, 12, 16))), (structure("Lung"), box((4, 300, 500)))]
    write_model_output(tmp_path / "out.pb", VERSION, masks)
    assert (tmp_path / "out.pb").read_bytes() == expected(masks).SerializeToString(deterministic=True)


def test_an_output_carries_names_dimensions_and_masks_of_zeros_and_ones(tmp_path: Path) -> None:
    mask_kji = box((8, 12, 16))
    write_model_output(tmp_path / "out.pb", VERSION, [(structure("Liver"), mask_kji)])
    output = Model_pb2.ModelOutput.FromString((tmp_path / "out.pb").read_bytes())
    (channel,) = output.Channels
    assert (output.ModelID, output.ProcesserVersion, output.LanguageCode) == ("Liver v2", "2.10", "en")
    assert channel.Structure == structure("Liver")
    assert (channel.Volume.Depth, channel.Volume.Height, channel.Volume.Width) == (8, 12, 16)
    assert channel.Volume.DataType == Volume.Byte
    voxels = np.frombuffer(gzip.decompress(channel.Volume.Data), np.uint8).reshape(8, 12, 16)
    np.testing.assert_array_equal(voxels, mask_kji.astype(np.uint8))


def test_the_result_names_the_files_length_and_digest(tmp_path: Path) -> None:
    result = write_model_output(tmp_path / "out.pb", VERSION, [(structure("Liver"), box((8, 12, 16)))])
    written = (tmp_path / "out.pb").read_bytes()
    assert (result.size_bytes, result.sha256) == (len(written), hashlib.sha256(written).hexdigest())


def test_an_output_without_structures_is_an_output(tmp_path: Path) -> None:
    write_model_output(tmp_path / "out.pb", VERSION, [])
    assert (tmp_path / "out.pb").read_bytes() == expected([]).SerializeToString()


@given(
    mask_kji=hnp.arrays(
        st.sampled_from([np.bool_, np.uint8]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.integers(0, 1).map(bool),
    ),
    order=st.permutations([0, 1, 2]),
    step=st.sampled_from([1, -1, 2]),
)
@settings(max_examples=100, deadline=None)
def test_any_mask_comes_back_whatever_its_layout_in_memory(
    mask_kji: NDArray[Any], order: list[int], step: int
) -> None:
    view_kji = mask_kji.transpose(order)[::step, :, ::step]
    voxels = np.frombuffer(gzip.decompress(encode_mask(view_kji)), np.uint8)
    np.testing.assert_array_equal(voxels.reshape(view_kji.shape), view_kji)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_encoding_makes_no_copy_of_the_mask(dtype: type) -> None:
    mask_kji: NDArray[Any] = box((64, 512, 512)).astype(dtype)
    tracemalloc.start()
    try:
        encode_mask(mask_kji)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < mask_kji.nbytes // 10


@pytest.mark.parametrize(
    "mask",
    [np.zeros((2, 2), bool), np.zeros((1, 2, 2, 2), bool), np.zeros((2, 2, 2)), np.zeros((2, 2, 2), "i1")],
)
def test_what_is_no_mask_is_refused_and_leaves_no_file(mask: NDArray[Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a mask is bool or uint8"):
        write_model_output(tmp_path / "out.pb", VERSION, [(structure("Liver"), mask)])
    assert list(tmp_path.iterdir()) == []


def test_masks_are_taken_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "out.pb"
    sizes: list[bool] = []

    def masks() -> Any:
        for name in ("Liver", "Lung", "Heart"):
            sizes.append(path.exists())
            yield structure(name), box((8, 12, 16))

    write_model_output(path, VERSION, masks())
    assert sizes == [True, True, True]
    assert len(Model_pb2.ModelOutput.FromString(path.read_bytes()).Channels) == 3


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "out.pb").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_model_output(tmp_path / "out.pb", VERSION, [(structure("Liver"), box((8, 12, 16)))])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32, "8080808010")],
)
def test_varints_are_the_shortest(value: int, encoded: str) -> None:
    assert varint(value).hex() == encoded


def test_a_length_header_is_tag_and_length() -> None:
    assert length_header(4, 300).hex() == "22ac02"
