"""ONNX through ONNX Runtime, on the processor or on an NVIDIA GPU.

An ONNX file is data: it can name only operators that the runtime has, and a library with others is never
loaded. Its weights are in the file itself, or in files beside it in a folder (onnx_folder.py).
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends import require
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, INPUTS, OUTPUTS, check_tensors
from segint_grpc.backends.model_file import not_one, only_file
from segint_grpc.backends.model_folder import unpacked
from segint_grpc.backends.onnx_file import external_files
from segint_grpc.backends.onnx_folder import check_folder, graph_name
from segint_grpc.backends.tensor_back_end import TensorBackEnd

_ONE_FILE = "onnx.save(onnx.load(…), …, save_as_external_data=False)"


class Onnx(TensorBackEnd):
    """Runs an ONNX model.

    Parameters: `inputs` (the names of the inputs in the channels' order, by default the model's own order),
    `outputs` (which of the outputs are the masks, by default all), `axes`, `dtype` (layout.py; by default
    what the model says), `device` (devices.py).
    """

    summary = "An ONNX model, run by ONNX Runtime."
    name = "onnx"
    extra = "onnx"

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if ONNX Runtime or the file is missing, or it is not all of an ONNX model."""
        require("onnx", self.extra, "onnxruntime")
        path = only_file(source, "onnx", (INPUTS, OUTPUTS, AXES, DTYPE, DEVICE))
        wanted_device(source.parameters)
        check_tensors(source.parameters)
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
        path = source.model_file
        if path is not None and zipfile.is_zipfile(path):
            source = replace(source, model_file=unpacked(source) / graph_name(path))
        self._model = self.imported("onnx_session").OnnxModel(source)
