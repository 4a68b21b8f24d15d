"""ONNX models: what of a file is looked at, and how inputs and outputs are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.external_data_helper
import pytest
from onnx import TensorProto, helper, numpy_helper

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource, Tiles
from segint_grpc.backends.onnx import Onnx
from segint_grpc.backends.onnx_file import external_files
from segint_grpc.zips.folder import write_folder_zip
from tests.real_models import STRUCTURES, a_channel, a_scan, built, run_onnx

IMAGE_KJI, GEOMETRY = a_scan()


def quiet(share: float) -> None:
    """Progress that nobody reads."""


def tensor(name: str, kind: int, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def written(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto] = (),
) -> Path:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def limit(value: float, kind: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, kind), "limit")


def threshold(path: Path, *shape: str | int, kind: int = TensorProto.FLOAT, dtype: Any = np.float32) -> Path:
    """A model that says where its input exceeds 100."""
    node = helper.make_node("Greater", ["image", "limit"], ["mask"])
    inputs, outputs = [tensor("image", kind, *shape)], [tensor("mask", TensorProto.BOOL, *shape)]
    return written(path, [node], inputs, outputs, [limit(100, dtype)])


def predicted(path: Path, *channels: Any, **parameters: Any) -> Any:
    source = ModelSource("v", STRUCTURES, ("1",), path, parameters=parameters)
    backend = Onnx()
    backend.check(source)
    backend.load(source)
    return backend.predict(channels or [a_channel(IMAGE_KJI, GEOMETRY)], quiet)


def refused(words: str, path: Path, **parameters: Any) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        predicted(path, **parameters)
    assert words in caught.value.message, caught.value.message


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        (("d", "h", "w"), None),
        (("d", "h", "w"), "DHW"),
        (("w", "h", "d"), "WHD"),
        ((1, "d", "h", "w"), None),
        ((1, "d", "h", "w"), "NDHW"),
        ((1, 1, "d", "h", "w"), None),
        ((1, "d", "h", "w", 1), "NDHWC"),
        ((1, 1, "w", "h", "d"), "NCWHD"),
    ],
)
def test_axes_are_laid_out_as_declared_and_the_mask_comes_back_upright(
    tmp_path: Path, shape: Sequence[str | int], axes: str | None
) -> None:
    made = predicted(threshold(tmp_path / "m.onnx", *shape), **({"axes": axes} if axes else {}))
    assert np.array_equal(made.reshape(IMAGE_KJI.shape), IMAGE_KJI > 100)
    assert made.shape[-3:] == IMAGE_KJI.shape


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(TensorProto.INT16, np.int16), (TensorProto.INT32, np.int32), (TensorProto.DOUBLE, np.float64)],
)
def test_the_dtype_is_the_model_s_own(tmp_path: Path, kind: int, dtype: Any) -> None:
    path = threshold(tmp_path / "m.onnx", "d", "h", "w", kind=kind, dtype=dtype)
    assert np.array_equal(predicted(path), IMAGE_KJI > 100)
    assert np.array_equal(predicted(path, dtype=np.dtype(dtype).name), IMAGE_KJI > 100)
    refused("is of " + np.dtype(dtype).name, path, dtype="uint8")


def test_values_that_the_dtype_cannot_hold_are_an_error_and_do_not_wrap_around(tmp_path: Path) -> None:
    path = threshold(tmp_path / "m.onnx", "d", "h", "w", kind=TensorProto.UINT8, dtype=np.uint8)
    with pytest.raises(errors.ModelFailure, match=r"int16 between -900 and 11\d\d, which the dtype uint8"):
        predicted(path)


def test_channels_are_stacked_or_are_inputs_of_their_own_in_the_order_that_is_declared(
    tmp_path: Path,
) -> None:
    channels = [a_channel(IMAGE_KJI, GEOMETRY, "CT"), a_channel(IMAGE_KJI // 3, GEOMETRY, "PET")]
    inputs = [tensor(name, TensorProto.FLOAT, "d", "h", "w") for name in ("pet", "ct")]
    node = helper.make_node("Greater", ["ct", "pet"], ["mask"])
    two = written(tmp_path / "two.onnx", [node], inputs, [tensor("mask", TensorProto.BOOL, "d", "h", "w")])
    expected = IMAGE_KJI > IMAGE_KJI // 3
    assert np.array_equal(predicted(two, *channels, inputs=["ct", "pet"]), expected)
    assert np.array_equal(predicted(two, *channels), IMAGE_KJI // 3 > IMAGE_KJI)
    with pytest.raises(errors.ModelFailure, match=r"takes 2 inputs \(pet, ct\), and would be given 1"):
        predicted(two, channels[0])
    stacked = predicted(threshold(tmp_path / "m.onnx", 1, 2, "d", "h", "w"), *channels)
    assert np.array_equal(stacked, np.stack([IMAGE_KJI, IMAGE_KJI // 3]) > 100)


def test_an_input_called_geometry_gets_the_matrix_from_indices_to_the_patient(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["geometry"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["image", "sum"], ["mask"]),
    ]
    inputs = [
        tensor("image", TensorProto.DOUBLE, "d", "h", "w"),
        tensor("geometry", TensorProto.DOUBLE, 4, 4),
    ]
    path = written(tmp_path / "g.onnx", nodes, inputs, [tensor("mask", TensorProto.BOOL, "d", "h", "w")])
    assert np.array_equal(predicted(path), GEOMETRY.affine.sum() < IMAGE_KJI)


def test_inputs_that_are_called_as_the_channels_get_these_whatever_their_order(tmp_path: Path) -> None:
    inputs = [tensor(name, TensorProto.FLOAT, "d", "h", "w") for name in ("pet", "ct")]
    node = helper.make_node("Greater", ["pet", "ct"], ["mask"])
    path = written(tmp_path / "two.onnx", [node], inputs, [tensor("mask", TensorProto.BOOL, "d", "h", "w")])
    ct, pet = a_channel(IMAGE_KJI, GEOMETRY, "ct"), a_channel(IMAGE_KJI // 3, GEOMETRY, "pet")
    for channels in ((ct, pet), (pet, ct)):
        assert np.array_equal(predicted(path, *channels), IMAGE_KJI // 3 > IMAGE_KJI)
        assert np.array_equal(predicted(path, *channels, inputs=["ct", "pet"]), IMAGE_KJI // 3 > IMAGE_KJI)


def test_of_several_outputs_those_that_are_named_are_the_masks(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Greater", ["image", "limit"], ["above"]),
        helper.make_node("Less", ["image", "limit"], ["below"]),
    ]
    image = tensor("image", TensorProto.FLOAT, "d", "h", "w")
    outputs = [tensor(name, TensorProto.BOOL, "d", "h", "w") for name in ("above", "below")]
    path = written(tmp_path / "two.onnx", nodes, [image], outputs, [limit(100)])
    both = predicted(path)
    assert np.array_equal(both[0], IMAGE_KJI > 100)
    assert np.array_equal(both[1], IMAGE_KJI < 100)
    assert np.array_equal(predicted(path, outputs="below"), IMAGE_KJI < 100)
    for node, name in zip(nodes, ("left", "bright"), strict=True):
        node.output[0] = name
    outputs = [tensor(name, TensorProto.BOOL, "d", "h", "w") for name in ("left", "bright")]
    keyed = predicted(written(tmp_path / "ids.onnx", nodes, [image], outputs, [limit(100)]))
    assert np.array_equal(keyed["left"], IMAGE_KJI > 100)
    assert np.array_equal(keyed["bright"], IMAGE_KJI < 100)
    values = np.random.default_rng(1).normal(0, 300, (2, 3, 4)).astype(np.float32)
    for parameters, expected in (({}, values > 100), ({"outputs": ["below", "above"]}, values < 100)):
        backend = Onnx()
        backend.load(ModelSource("v", STRUCTURES, ("1",), path, parameters=parameters))
        assert np.array_equal(backend.infer(Tiles(values)), expected)
    refused("no output 'beside'; its outputs are above, below", path, outputs=["beside"])
    refused("no input 'scan'; its inputs are image", path, inputs="scan")
    refused("inputs must be a name or a list of names", path, inputs=3)


def test_weights_in_files_beside_the_model_are_refused_with_the_mend(tmp_path: Path) -> None:
    path = threshold(tmp_path / "m.onnx", "d", "h", "w")
    model = onnx.load(path)
    onnx.external_data_helper.convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, path)
    assert external_files(path) == ["weights.bin"]
    refused("m.onnx keeps weights in other files (weights.bin)", path)
    refused("save_as_external_data=False", path)
    refused("give the folder that holds them all", path)


def outside_weights(folder: Path) -> Path:
    """The folder with a model whose weights lie in a file beside it."""
    path = threshold(folder / "m.onnx", "d", "h", "w")
    model = onnx.load(path)
    data = model.graph.initializer[0].raw_data
    (folder / "weights.bin").write_bytes(data)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "weights.bin", 0, len(data))
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


def zipped(folder: Path) -> Path:
    path = folder.with_name("model.zip")
    write_folder_zip(folder, path)
    return path


def test_a_folder_brings_the_files_that_its_weights_lie_in(folder: Path) -> None:
    made = predicted(zipped(outside_weights(folder)))
    assert np.array_equal(made, IMAGE_KJI > 100)


def test_a_real_network_gives_the_same_masks_with_its_weights_in_another_file(folder: Path) -> None:
    model = onnx.load(built("onnx").model_file)
    place = {"save_as_external_data": True, "location": "net.onnx.data", "size_threshold": 0}
    onnx.save(model, folder / "net.onnx", **place)
    assert external_files(folder / "net.onnx") == ["net.onnx.data"]
    expected = predicted(built("onnx").model_file, axes="NCDHW")
    assert np.array_equal(predicted(zipped(folder), axes="NCDHW"), expected)


@pytest.mark.parametrize("location", ["/etc/passwd", "../weights.bin", "a/../../weights.bin", "..\\w.bin"])
def test_a_folder_whose_model_wants_weights_from_outside_is_refused_unread(
    folder: Path, location: str
) -> None:
    path = threshold(folder / "m.onnx", "d", "h", "w")
    model = onnx.load(path)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], location, 0, 4)
    path.write_bytes(model.SerializeToString())
    refused("m.onnx in model.zip wants weights from outside its folder", zipped(folder))


def test_a_folder_that_lacks_what_its_model_needs_is_refused_by_name(folder: Path) -> None:
    outside_weights(folder)
    (folder / "weights.bin").rename(folder / "others.bin")
    refused("lacks files that the weights of m.onnx lie in: weights.bin.", zipped(folder))
    threshold(folder / "second.onnx", "d", "h", "w")
    refused("has 2 files .onnx at its top (m.onnx, second.onnx); it must have one", zipped(folder))
    for path in folder.glob("*.onnx"):
        path.unlink()
    refused("has 0 files .onnx at its top; it must have one", zipped(folder))
    (folder / "m.onnx").write_bytes(b"nothing of the kind")
    refused("is no ONNX model", zipped(folder))


def test_weights_elsewhere_are_found_however_deep_the_graph_hides_them(tmp_path: Path) -> None:
    hidden = numpy_helper.from_array(np.zeros(4, np.float32), "hidden")
    onnx.external_data_helper.set_external_data(hidden, location="../../secret")
    inner = helper.make_graph([helper.make_node("Identity", ["hidden"], ["out"])], "in", [], [], [hidden])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    constant = helper.make_node("Constant", [], ["k"], value=hidden)
    outputs = [tensor("y", TensorProto.FLOAT, 4)]
    image = tensor("c", TensorProto.BOOL)
    for nodes in ([node], [constant]):
        assert external_files(written(tmp_path / "deep.onnx", nodes, [image], outputs)) == ["../../secret"]


def test_an_operator_that_the_runtime_lacks_is_refused_since_no_library_is_loaded(tmp_path: Path) -> None:
    node = helper.make_node("Magic", ["image"], ["mask"], domain="our.lab")
    graph = helper.make_graph(
        [node], "g", [tensor("image", 1, "d", "h", "w")], [tensor("mask", TensorProto.BOOL, "d", "h", "w")]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("our.lab", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    refused("our.lab", tmp_path / "m.onnx")


@pytest.mark.parametrize("axes", ["NCHW", "DHWX", "DDHW", "", 5, "dhw"])
def test_axes_that_are_none_are_refused(tmp_path: Path, axes: Any) -> None:
    path = threshold(tmp_path / "m.onnx", "d", "h", "w")
    refused("axes must hold D, H and W", path, axes=axes)


def test_axes_that_the_input_does_not_have_are_refused_with_both_counts(tmp_path: Path) -> None:
    refused(
        "has 3 dimensions, the parameter axes 5", threshold(tmp_path / "m.onnx", "d", "h", "w"), axes="NCDHW"
    )
    flat = threshold(tmp_path / "flat.onnx", "h", "w")
    refused("a network of slices needs a manifest with [versions.inference]", flat)


def test_the_model_for_tests_on_a_gpu_is_that_of_the_other_tests() -> None:
    path = Path(__file__).parents[1] / "data" / "two_structures.onnx"
    assert np.array_equal(run_onnx(path, IMAGE_KJI, GEOMETRY), built("onnx").bare(IMAGE_KJI, GEOMETRY))


@pytest.mark.parametrize(("axes", "shape"), [("NDHWC", (4, 5, 6)), ("DHWC", (5, 6))])
def test_a_network_whose_channels_come_last_gets_its_tiles_so(
    axes: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "last.onnx"
    names = tuple("dhw"[-len(shape) :])
    node = helper.make_node("ReduceSum", ["image", "axis"], ["first"], keepdims=1)
    above = helper.make_node("Greater", ["image", "first"], ["mask"])
    axis = numpy_helper.from_array(np.array([-1], np.int64), "axis")
    inputs = [tensor("image", TensorProto.FLOAT, "n", *names, 2)]
    outputs = [tensor("mask", TensorProto.BOOL, "n", *names, 2)]
    written(path, [node, above], inputs, outputs, [axis])
    backend = Onnx()
    backend.load(ModelSource("v", STRUCTURES, ("1", "2"), path, parameters={"axes": axes}))
    values = np.random.default_rng(1).normal(0, 300, (3, 2, *shape)).astype(np.float32)
    assert np.array_equal(backend.infer(Tiles(values)), values > values.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("odd", [-1024.0, 300.0, 1.5, np.nan])
def test_tiles_that_the_network_s_integers_cannot_hold_are_an_error(odd: float, tmp_path: Path) -> None:
    path = threshold(tmp_path / "m.onnx", 1, 1, "d", "h", "w", kind=TensorProto.UINT8, dtype=np.uint8)
    backend = Onnx()
    backend.load(ModelSource("v", STRUCTURES, ("1",), path))
    values = np.full((1, 1, 2, 3, 4), 101, np.float32)
    assert backend.infer(Tiles(values)).all()
    values[0, 0, 1, 1, 1] = odd
    with pytest.raises(errors.ModelFailure, match=r"uint8 that the model wants.*\[versions\.input\] rounds"):
        backend.infer(Tiles(values))
