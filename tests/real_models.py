"""Real models of every kind, trained or exported in seconds, each with the bare script that runs it.

A bare script uses the model's own library alone, and computes features in its own way.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import shutil
import tempfile
import textwrap
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from segint_grpc.backends.base import Channel, ModelSource, StructureSpec
from segint_grpc.domain.geometry import Geometry
from segint_grpc.zips.folder import write_folder_zip
from tests import real_bundles

Bare = Callable[[NDArray[Any], Geometry], NDArray[np.bool_]]
"""image_kji and geometry → the masks of both structures, [structure, k, j, i]."""

STRUCTURES = (StructureSpec("bright", "Bright", "1"), StructureSpec("left", "Left", "1"))
CHANNELS = ("1",)
FEATURES = ["intensity", "smoothed(2)", "gradient(1.5)", "x_mm", "y_mm", "z_mm"]
BATCH = {"axes": "NCDHW", "dtype": "float32"}

NET = '''
import torch


class Net(torch.nn.Module):
    """Two structures from a batch [1, 1, slice, row, column], float32."""

    def __init__(self):
        super().__init__()
        first, last = torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Conv3d(4, 2, 1)
        self.layers = torch.nn.Sequential(first, torch.nn.ReLU(), last)

    def forward(self, image: torch.Tensor):
        return self.layers(image / 500) > 0


class OnVolumes(Net):
    """The same, from a volume [slice, row, column]."""

    def forward(self, image: torch.Tensor):
        return super().forward(image[None, None].float())[0]
'''
"""The module of a convolutional network."""


@dataclass(frozen=True)
class RealModel:
    """A model on disk, what it needs to be run, and the bare script that runs it."""

    backend: str
    bare: Bare
    model_file: Path | None = None
    module_file: Path | None = None
    entry: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> ModelSource:
        """What its back end loads."""
        files = (self.model_file, self.module_file, self.entry)
        return ModelSource("Two 1.0", STRUCTURES, CHANNELS, *files, self.parameters)


def a_scan(*, stored_in_lps: bool = True, seed: int = 3) -> tuple[NDArray[np.int16], Geometry]:
    """Noise of unlike sizes and spacings; or sagittal slices from the right, rows to the feet."""
    shape_kji = (9, 22, 17)
    image_kji = np.random.default_rng(seed).integers(-900, 1200, shape_kji).astype(np.int16)
    if stored_in_lps:
        axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    else:
        axes = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0))
    return image_kji, Geometry(shape_kji, (1.1, 0.9, 2.5), *axes, (12.0, -8.0, 40.0))


def a_channel(image_kji: NDArray[Any], geometry: Geometry, name: str = "1") -> Channel:
    """A channel as a model's process gets it: read-only."""
    image_kji = image_kji.copy()
    image_kji.setflags(write=False)
    return Channel(name, image_kji, geometry)


@functools.cache
def net(name: str = "Net") -> torch.nn.Module:
    """The network of `NET`, with weights that are always the same."""
    namespace: dict[str, Any] = {"__name__": "two_structures"}
    exec(NET, namespace)
    torch.manual_seed(11)
    made: torch.nn.Module = namespace[name]().eval()
    return made


def batch_of(image_kji: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(image_kji.astype(np.float32))[None, None]


def pytorch(folder: Path) -> RealModel:
    """A state dict and the module of its class."""
    torch.save(net().state_dict(), folder / "net.pt")
    (folder / "net.py").write_text(textwrap.dedent(NET))

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        with torch.inference_mode():
            return net()(batch_of(image_kji))[0].numpy()

    return RealModel("pytorch", bare, folder / "net.pt", folder / "net.py", "OnVolumes")


def torchscript(folder: Path) -> RealModel:
    """A traced network."""
    path = folder / "net_script.pt"
    with warnings.catch_warnings():
        # torch has deprecated what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(net(), batch_of(a_scan()[0])), path)

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(path)(batch_of(image_kji))[0].numpy()

    return RealModel("torchscript", bare, path, parameters=BATCH)


def _any_size() -> dict[int, Any]:
    return {axis: torch.export.Dim(name, min=2) for axis, name in ((2, "d"), (3, "h"), (4, "w"))}


def torch_export(folder: Path) -> RealModel:
    """An exported program for any size."""
    path = folder / "net.pt2"
    program = torch.export.export(net(), (batch_of(a_scan()[0]),), dynamic_shapes=(_any_size(),))
    torch.export.save(program, path)

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        with torch.inference_mode():
            return torch.export.load(path).module()(batch_of(image_kji))[0].numpy()

    return RealModel("torch_export", bare, path, parameters=BATCH)


def onnx(folder: Path) -> RealModel:
    """An ONNX model for any size, its weights inside."""
    path = folder / "net.onnx"
    with warnings.catch_warnings():
        # Of the exporter's own parts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            net(), (batch_of(a_scan()[0]),), dynamo=True, dynamic_shapes=(_any_size(),), verbose=False
        )
        assert program is not None
        program.save(path, external_data=False)
    return RealModel("onnx", functools.partial(run_onnx, path), path, parameters={"axes": "NCDHW"})


def run_onnx(path: Path, image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    made: NDArray[np.bool_] = session.run(None, {"image": batch_of(image_kji).numpy()})[0]
    return made[0]


def table_of(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.float32]:
    """`FEATURES`, computed over the whole scan at once and from their definitions."""
    from scipy import ndimage

    spacing_kji = np.array(geometry.spacing_xyz_mm[::-1])
    image = image_kji.astype(np.float32)
    smooth = ndimage.gaussian_filter(image, 2 / spacing_kji, mode="nearest")
    slopes = [
        ndimage.gaussian_filter(
            image, 1.5 / spacing_kji, order=[int(a == n) for a in range(3)], mode="nearest"
        )
        / np.float32(spacing_kji[n])
        for n in range(3)
    ]
    indices = np.indices(image.shape).reshape(3, -1).T
    columns = [image, smooth, np.sqrt(sum(slope**2 for slope in slopes))]
    xyz = geometry.xyz_mm(indices)
    return np.column_stack([*(column.reshape(-1) for column in columns), xyz]).astype(np.float32)


def truth(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.int64]:
    """What the classifiers learn: 1 where it is bright, 2 where it is dark on the patient's left."""
    table = table_of(image_kji, geometry)
    return np.where(table[:, 1] > 150, 1, np.where(table[:, 3] > 18, 2, 0))


def _masks(labels: NDArray[Any], shape_kji: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.stack([labels == 1, labels == 2]).reshape(2, *shape_kji)


def sklearn(folder: Path) -> RealModel:
    """A forest."""
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=8, max_depth=6, random_state=0)
    forest.fit(table_of(*a_scan(seed=1)), truth(*a_scan(seed=1)))
    skops.io.dump(forest, folder / "forest.skops")

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        return _masks(forest.predict(table_of(image_kji, geometry)), image_kji.shape)

    return RealModel("sklearn", bare, folder / "forest.skops", parameters={"features": FEATURES})


def xgboost(folder: Path) -> RealModel:
    """A booster of three classes."""
    import xgboost as library

    data = library.DMatrix(table_of(*a_scan(seed=1)), truth(*a_scan(seed=1)))
    options = {"objective": "multi:softprob", "num_class": 3, "max_depth": 4, "nthread": 1}
    booster = library.train(options, data, num_boost_round=6)
    booster.save_model(folder / "booster.ubj")

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        made = booster.predict(library.DMatrix(table_of(image_kji, geometry)))
        return _masks(made.argmax(axis=1), image_kji.shape)

    return RealModel("xgboost", bare, folder / "booster.ubj", parameters={"features": FEATURES})


def open_inference(folder: Path) -> RealModel:
    """A model on a real MLServer; the bare script knows what it does."""
    from tests.fakes import mlserver

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        indices = np.indices(image_kji.shape).reshape(3, -1).T
        left = geometry.xyz_mm(indices)[:, 0] > 18
        return np.stack([image_kji > 100, left.reshape(image_kji.shape)])

    parameters = {"url": mlserver.shared().url, "model": mlserver.MODEL}
    return RealModel("open_inference", bare, parameters=parameters)


def monai(folder: Path) -> RealModel:
    """A bundle: a U-Net, and its own way from a scan to masks."""
    bundle = real_bundles.write_bundle(folder / "two")
    write_folder_zip(bundle, folder / "two.zip")

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        return _masks(real_bundles.bare(bundle, [image_kji], geometry), image_kji.shape)

    return RealModel("monai", bare, folder / "two.zip")


def keras(folder: Path) -> RealModel:
    """The network of `NET` with its channels last, in Keras's own layers."""
    library = keras_library()
    image = library.Input((None, None, None, 1), name="image")
    first = library.layers.Conv3D(4, 3, padding="same", activation="relu")
    last = library.layers.Conv3D(2, 1)
    made = library.Model(image, last(first(image / 500.0)) > 0.0)
    for layer, theirs in ((first, net().layers[0]), (last, net().layers[2])):
        kernel = theirs.weight.detach().numpy().transpose(2, 3, 4, 1, 0)
        layer.set_weights([kernel, theirs.bias.detach().numpy()])
    path = folder / "net.keras"
    with warnings.catch_warnings():
        # Of Keras's own parts.
        warnings.simplefilter("ignore")
        made.save(path)

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = library.saving.load_model(path, compile=False)
            batch = image_kji.astype(np.float32)[None, ..., None]
            return np.moveaxis(model.predict(batch, verbose=0)[0], -1, 0)

    return RealModel("keras", bare, path)


def tensorflow(folder: Path) -> RealModel:
    """The network of `NET` with its channels last, as a SavedModel in a zip."""
    from segint_grpc.backends.tensorflow_library import tensorflow as library

    first, last = net().layers[0], net().layers[2]
    weights = [tensor.detach().numpy() for tensor in (first.weight, first.bias, last.weight, last.bias)]
    module = library.Module()
    module.weights = [
        library.Variable(value.transpose(2, 3, 4, 1, 0) if value.ndim > 1 else value) for value in weights
    ]

    def masks(image: Any) -> dict[str, Any]:
        inner = library.nn.conv3d(image / 500.0, module.weights[0], [1] * 5, "SAME") + module.weights[1]
        outer = library.nn.conv3d(library.nn.relu(inner), module.weights[2], [1] * 5, "SAME")
        return {"masks": outer + module.weights[3] > 0}

    spec = library.TensorSpec([None, None, None, None, 1], library.float32, name="image")
    module.run = library.function(masks, input_signature=[spec])
    library.saved_model.save(module, str(folder / "saved"), signatures=module.run)
    write_folder_zip(folder / "saved", folder / "saved.zip")

    def bare(image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.bool_]:
        model = library.saved_model.load(str(folder / "saved"))
        made = model.signatures["serving_default"](image=image_kji.astype(np.float32)[None, ..., None])
        return np.moveaxis(made["masks"].numpy()[0], -1, 0)

    return RealModel("tensorflow", bare, folder / "saved.zip")


def keras_library() -> Any:
    """Keras, on torch."""
    return importlib.import_module("segint_grpc.backends.keras_library").keras


def nnunet(folder: Path) -> RealModel:
    """An nnU-Net, as its own export has it."""
    return cast(RealModel, importlib.import_module("tests.nnunet_models").nnunet(folder))


BUILDERS: Mapping[str, Callable[[Path], RealModel]] = {
    builder.__name__: builder
    for builder in (
        *(pytorch, torchscript, torch_export, onnx, sklearn, xgboost),
        *(monai, nnunet, keras, tensorflow, open_inference),
    )
}
"""Back end → what makes a model of its kind in a folder."""


@functools.cache
def built(name: str) -> RealModel:
    """The real model of a back end, made once for all tests of a process; its files are not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="segint-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return BUILDERS[name](folder)
