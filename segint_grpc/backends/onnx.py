"""ONNX through ONNX Runtime, on the processor or on an NVIDIA GPU.

An ONNX file is data: it can name only operators that the runtime has, and a library with others is never
loaded. Its weights are in the file itself, or in files beside it in a folder (onnx_folder.py).
"""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import missing_library, require
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, INPUTS, OUTPUTS, wanted_layout, wanted_names
from segint_grpc.backends.model_file import not_one, only_file
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.onnx_file import external_files
from segint_grpc.backends.onnx_folder import check_folder, graph_name

if TYPE_CHECKING:
    from segint_grpc.backends.onnx_session import OnnxModel

_ONE_FILE = "onnx.save(onnx.load(…), …, save_as_external_data=False)"


class Onnx:
    """Runs an ONNX model.

    Parameters: `inputs` (the names of the inputs in the channels' order, by default the model's own order),
    `outputs` (which of the outputs are the masks, by default all), `axes`, `dtype` (layout.py; by default
    what the model says), `device` (devices.py).
    """

    summary = "An ONNX model, run by ONNX Runtime."
    extra = "onnx"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: OnnxModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if ONNX Runtime or the file is missing, or it is not all of an ONNX model."""
        require("onnx", self.extra, "onnxruntime")
        path = only_file(source, "onnx", (INPUTS, OUTPUTS, AXES, DTYPE, DEVICE))
        wanted_device(source.parameters)
        if AXES in source.parameters or DTYPE in source.parameters:
            wanted_layout(source.parameters)
        for name in (INPUTS, OUTPUTS):
            wanted_names(source.parameters, name)
        try:
            if zipfile.is_zipfile(path):
                check_folder(path)
                return
            beside = external_files(path)
        except (ValueError, OSError) as error:
            mend = "write one with torch.onnx.export"
            raise not_one(path, f"ONNX model ({error})", mend) from None
        if beside:
            raise errors.InvalidModel(
                f"{path.name} keeps weights in other files ({', '.join(beside)[:200]}), and a version has "
                f"one model file; give the folder that holds them all, or save it as one file: {_ONE_FILE}"
            )

    def carries_code(self, path: Path) -> bool:
        """Return False: operators are the runtime's, and libraries with others are never loaded."""
        return False

    def load(self, source: ModelSource) -> None:
        """Load the model onto the device that it is to run on."""
        try:
            # Not earlier: the core asks `check`, and need not hold the runtime.
            session = importlib.import_module("segint_grpc.backends.onnx_session")
        except ImportError as error:
            raise missing_library("onnx", self.extra, str(error)) from error
        path = source.model_file
        if path is not None and zipfile.is_zipfile(path):
            source = replace(source, model_file=unpacked(source) / graph_name(path))
        self._model = session.OnnxModel(source)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model returns, without its batch axis; a single run tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)
