"""Keras models: what a file may name unasked, and how inputs, outputs and channels are laid out."""

from __future__ import annotations

import base64
import json
import marshal
import os
import subprocess
import sys
import types
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource, Tiles
from segint_grpc.backends.keras import Keras
from segint_grpc.backends.keras_file import read_config, strangers
from tests.real_models import STRUCTURES, a_channel, a_scan, built, keras_library

IMAGE_KJI, GEOMETRY = a_scan()
CT, PET = a_channel(IMAGE_KJI, GEOMETRY, "CT"), a_channel(IMAGE_KJI // 3, GEOMETRY, "PET")

keras = keras_library()
layers = keras.layers


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keras's own deprecated parts warn when it saves."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


def quiet(share: float) -> None:
    """Progress that nobody reads."""


def volume(name: str = "image", *, channels: int = 1, **more: Any) -> Any:
    return keras.Input((None, None, None, channels), name=name, **more)


def saved(path: Path, inputs: Any, outputs: Any) -> Path:
    keras.Model(inputs, outputs).save(path)
    return path


def loaded(path: Path, **parameters: Any) -> Keras:
    source = ModelSource("v", STRUCTURES, ("1",), path, parameters=parameters)
    backend = Keras()
    backend.check(source)
    backend.load(source)
    return backend


def predicted(path: Path, *channels: Any, **parameters: Any) -> Any:
    return loaded(path, **parameters).predict(channels or [CT], quiet)


def refused(words: str, path: Path, **parameters: Any) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        predicted(path, **parameters)
    assert words in caught.value.message, caught.value.message


def test_an_h5_file_of_a_whole_model_gives_the_same_masks(tmp_path: Path) -> None:
    model = keras.saving.load_model(built("keras").model_file, compile=False)
    convolutions = [layer for layer in model.layers if "conv" in layer.name]
    image = volume()
    made = image
    for layer in (layers.Rescaling(1 / 500), *convolutions):
        made = layer(made)
    for suffix in (".h5", ".hdf5"):
        path = saved(tmp_path / f"net{suffix}", image, made)
        scores = predicted(path)
        assert np.array_equal(scores > 0, built("keras").bare(IMAGE_KJI, GEOMETRY))
        assert Keras().carries_code(path)


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    keras.saving.load_model(built("keras").model_file, compile=False).save_weights(tmp_path / "n.weights.h5")
    refused("No model config found", tmp_path / "n.weights.h5")


def test_a_model_whose_channels_come_first_says_so_itself(tmp_path: Path) -> None:
    image = keras.Input((2, None, None, None), name="image")
    pooled = layers.MaxPooling3D(1, data_format="channels_first")(image)
    path = saved(tmp_path / "first.keras", image, pooled > 100.0)
    expected = np.stack([IMAGE_KJI > 100, IMAGE_KJI // 3 > 100])
    assert np.array_equal(predicted(path, CT, PET), expected)
    tiles = Tiles(np.random.default_rng(1).normal(0, 300, (3, 2, 4, 5, 6)).astype(np.float32))
    assert np.array_equal(loaded(path).infer(tiles), tiles.values > 100)


def test_a_channel_each_may_be_an_input_of_its_own_in_the_order_that_is_declared(tmp_path: Path) -> None:
    pet, ct = volume("pet"), volume("ct")
    two = saved(tmp_path / "two.keras", [pet, ct], ct > pet)
    named = saved(tmp_path / "named.keras", {"pet": pet, "ct": ct}, ct > pet)
    parameters = {"axes": "NDHW"}
    flat = saved(tmp_path / "flat.keras", *_flat_pair())
    expected = IMAGE_KJI > IMAGE_KJI // 3
    assert np.array_equal(predicted(flat, CT, PET, inputs=["ct", "pet"], **parameters), expected)
    assert np.array_equal(predicted(flat, PET, CT, **parameters), expected)
    with pytest.raises(errors.ModelFailure, match=r"takes 2 inputs \(pet, ct\), and would be given 1"):
        predicted(two, CT, PET)
    refused("inputs have names and no order", named)


def _flat_pair() -> tuple[Any, Any]:
    pet, ct = (keras.Input((None, None, None), name=name) for name in ("pet", "ct"))
    return [pet, ct], ct > pet


def test_an_input_called_geometry_gets_the_matrix_from_indices_to_the_patient(tmp_path: Path) -> None:
    image, geometry = volume(dtype="float64"), keras.Input((4, 4), name="geometry", dtype="float64")
    path = saved(tmp_path / "g.keras", [image, geometry], image > keras.ops.sum(geometry))
    assert np.array_equal(predicted(path)[0], GEOMETRY.affine.sum() < IMAGE_KJI)


def test_of_several_outputs_those_that_are_named_are_the_masks(tmp_path: Path) -> None:
    image = volume()
    above = layers.Identity(name="above")(keras.ops.squeeze(image > 100.0, -1))
    below = layers.Identity(name="below")(keras.ops.squeeze(image < 100.0, -1))
    path = saved(tmp_path / "two.keras", image, {"above": above, "below": below})
    refused("outputs have names and no order (above, below)", path)
    assert np.array_equal(predicted(path, outputs=["below", "above"]), [IMAGE_KJI < 100, IMAGE_KJI > 100])
    listed = saved(tmp_path / "listed.keras", image, [below, above])
    assert np.array_equal(predicted(listed), [IMAGE_KJI < 100, IMAGE_KJI > 100])
    keyed = saved(tmp_path / "ids.keras", image, {"left": below, "bright": above})
    masks = predicted(keyed)
    assert np.array_equal(masks["left"], IMAGE_KJI < 100)
    assert np.array_equal(masks["bright"], IMAGE_KJI > 100)
    assert np.array_equal(predicted(keyed, outputs="bright"), IMAGE_KJI > 100)

    assert np.array_equal(predicted(path, outputs="below"), IMAGE_KJI < 100)
    refused("no output 'beside'; its outputs are above, below", path, outputs=["beside"])
    refused("no input 'scan'; its inputs are image", path, inputs="scan")


def test_outputs_of_one_layer_are_told_apart(tmp_path: Path) -> None:
    image, shared = volume(), layers.Identity(name="shared")
    path = saved(tmp_path / "m.keras", image, [shared(image > 100.0), shared(image < 100.0)])
    assert np.array_equal(np.concatenate(predicted(path)), [IMAGE_KJI > 100, IMAGE_KJI < 100])
    assert np.array_equal(predicted(path, outputs="shared:1")[0], IMAGE_KJI < 100)


def test_the_dtype_is_the_model_s_own(tmp_path: Path) -> None:
    image = volume(dtype="int16")
    path = saved(tmp_path / "m.keras", image, image > 100)
    assert np.array_equal(predicted(path)[0], IMAGE_KJI > 100)
    refused("is of int16; the parameter dtype says uint8", path, dtype="uint8")


def test_a_network_of_slices_takes_tiles_and_refuses_volumes(tmp_path: Path) -> None:
    image = keras.Input((None, None, 1), name="image")
    path = saved(tmp_path / "slices.keras", image, layers.MaxPooling2D(1)(image) > 0.0)
    backend = loaded(path)
    tiles = Tiles(np.random.default_rng(1).normal(0, 300, (3, 1, 5, 6)).astype(np.float32))
    assert np.array_equal(backend.infer(tiles), tiles.values > 0)
    with pytest.raises(
        errors.ModelFailure, match=r"has 4 dimensions.*needs a manifest with \[versions.infer"
    ):
        backend.predict([CT], quiet)


def test_labels_without_an_axis_of_classes_keep_their_axes(tmp_path: Path) -> None:
    image = volume()
    path = saved(tmp_path / "labels.keras", image, keras.ops.squeeze(image > 0.0, -1))
    values = np.random.default_rng(1).normal(0, 300, (2, 1, 5, 5, 5)).astype(np.float32)
    assert np.array_equal(loaded(path).infer(Tiles(values)), values[:, 0] > 0)


def test_a_usual_network_with_a_loss_of_its_own_is_not_code(tmp_path: Path) -> None:
    image = volume()
    inner = layers.Activation("swish")(
        layers.BatchNormalization()(layers.Conv3D(4, 3, padding="same")(image))
    )
    down = layers.MaxPooling3D(2)(layers.SpatialDropout3D(0.2)(inner))
    up = layers.Conv3DTranspose(4, 2, strides=2, activation=keras.activations.gelu)(down)
    joined = layers.Concatenate()([inner, up])
    made = layers.Conv3D(3, 1, activation="softmax", kernel_regularizer=keras.regularizers.L2(1e-4))(joined)
    model = keras.Model(image, made)

    def dice(truth: Any, made: Any) -> Any:
        return 1 - keras.ops.sum(truth * made)

    model.compile("adam", loss=dice)
    model.save(tmp_path / "unet.keras")
    assert not Keras().carries_code(tmp_path / "unet.keras")
    backend = loaded(tmp_path / "unet.keras")
    even = Tiles(np.zeros((1, 1, 8, 8, 8), np.float32))
    assert backend.infer(even).shape == (1, 3, 8, 8, 8)


def function(module: str, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def writing(marker: Path) -> types.FunctionType:
    """A lambda that writes `marker` when it is called."""
    made = eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]")
    assert isinstance(made, types.FunctionType)
    return made


def bytecode(marker: Path) -> dict[str, Any]:
    """`writing`, as Keras 2 and 3 keep it."""
    code = base64.b64encode(marshal.dumps(writing(marker).__code__)).decode()
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}


def crafted(path: Path, layer: dict[str, Any]) -> Path:
    """A `.keras` file with one more layer than `saved` would write."""
    image = volume()
    plain = saved(path.with_name("plain.keras"), image, layers.Identity(name="last")(image))
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                last = config["config"]["layers"][-1]
                last.update(layer)
                last["config"]["name"] = "last"
                content = json.dumps(config).encode()
            target.writestr(name, content)
    return path


def lambda_of(called: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return {"class_name": "Lambda", "config": {"function": called, "arguments": arguments}}


MALICIOUS = {
    "CVE-2024-3660, bytecode": lambda marker: lambda_of(bytecode(marker)),
    "CVE-2025-1550, any module": lambda marker: lambda_of(function("os", "mkdir")),
    "CVE-2025-8747, a download": lambda marker: lambda_of(
        function("keras.utils", "get_file"), fname=str(marker)
    ),
    "CVE-2025-9906, safe mode off": lambda marker: lambda_of(
        function("keras.config", "enable_unsafe_deserialization")
    ),
    "a class of Python's": lambda marker: {"module": "subprocess", "class_name": "Popen"},
    "a pickle": lambda marker: {
        "class_name": "TorchModuleWrapper",
        "config": {"module": base64.b64encode(b"cposix\nsystem\n(S'true'\ntR.").decode()},
    },
    "a SavedModel elsewhere": lambda marker: {"class_name": "TFSMLayer", "config": {"filepath": str(marker)}},
    "a file's lines": lambda marker: {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_what_may_do_more_than_compute_is_code_and_is_refused_even_when_approved(
    name: str, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    path = crafted(tmp_path / "bad.keras", MALICIOUS[name](marker))
    assert Keras().carries_code(path)
    with pytest.raises(
        errors.InvalidModel, match=r"bad\.keras holds .*does not load it.*for the back end onnx"
    ):
        predicted(path)
    assert not marker.exists()


def test_the_bytecode_of_these_tests_would_run(tmp_path: Path) -> None:
    path = crafted(tmp_path / "bad.keras", lambda_of(bytecode(tmp_path / "ran")))
    keras.saving.load_model(path, compile=False, safe_mode=False)
    assert (tmp_path / "ran").exists()


def test_bytecode_in_an_h5_file_does_not_run_even_when_it_was_approved(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    made = volume()
    model = keras.Model(made, layers.Lambda(writing(marker))(made))
    marker.unlink()
    model.save(tmp_path / "bad.h5")
    assert Keras().carries_code(tmp_path / "bad.h5")
    refused("Lambda", tmp_path / "bad.h5")
    refused("for the back end onnx", tmp_path / "bad.h5")
    assert not marker.exists()


class Swish(layers.Layer):  # type: ignore[misc,name-defined]
    """A layer of a group's own."""

    def call(self, values: Any) -> Any:
        return values * keras.ops.sigmoid(values)


def test_a_layer_of_one_s_own_is_refused_by_name_with_the_way_out(tmp_path: Path) -> None:
    image = volume()
    for name in ("own.keras", "own.h5"):
        saved(tmp_path / name, image, Swish()(image))
        refused("Swish", tmp_path / name)
        refused('model.export("net.onnx", format="onnx")', tmp_path / name)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"{", "describes no model|Expecting"), (b"[1]", "describes no model"), (b"[" * 100_000, "nested too")],
)
def test_a_file_whose_config_cannot_be_read_is_refused(content: bytes, why: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        archive.writestr("config.json", content)
    assert not Keras().carries_code(tmp_path / "odd.keras")
    with pytest.raises(errors.InvalidModel, match=why):
        loaded(tmp_path / "odd.keras")


def test_what_is_named_more_than_once_is_named_once() -> None:
    inner = {"list": [{"class_name": "__lambda__"}]}
    odd = {"class_name": "Lambda", "module": "keras.layers", "config": inner}
    assert strangers([odd, odd]) == ["__lambda__", "keras.layers.Lambda"]
    assert strangers(read_config(built("keras").model_file)) == []


def test_keras_computes_with_torch_and_writes_nothing_home_whatever_the_user_has_set(tmp_path: Path) -> None:
    settings = tmp_path / ".keras" / "keras.json"
    settings.parent.mkdir()
    unlike = {"backend": "tensorflow", "image_data_format": "channels_first", "floatx": "float16"}
    settings.write_text(json.dumps(unlike))
    program = (
        "import sys, pathlib\n"
        "from segint_grpc.backends.base import ModelSource\n"
        "from segint_grpc.backends.keras import Keras\n"
        "backend = Keras()\n"
        f"backend.load(ModelSource('v', (), ('1',), pathlib.Path({str(built('keras').model_file)!r})))\n"
        "import numpy as np\n"
        "from tests.real_models import a_channel, a_scan\n"
        "backend.predict([a_channel(*a_scan())], print)\n"
        "import keras\n"
        "assert keras.backend.backend() == 'torch' and keras.config.floatx() == 'float32'\n"
        "assert not {'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    theirs = {"HOME": str(tmp_path), "KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(settings.parent)}
    subprocess.run([sys.executable, "-c", program], env=os.environ | theirs, check=True)
    assert [path.name for path in tmp_path.rglob("*")] == [".keras", "keras.json"]
