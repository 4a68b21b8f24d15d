"""TensorFlow SavedModels: a folder with a graph and its weights, kept as a zip.

A graph can read and write files, so it always counts as code.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from segint_grpc import errors
from segint_grpc.backends import require
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, INPUTS, OUTPUTS, check_tensors
from segint_grpc.backends.model_file import not_one, only_file
from segint_grpc.backends.model_folder import code_where, member_names
from segint_grpc.backends.tensor_back_end import TensorBackEnd

SIGNATURE = "signature"
DEFAULT_SIGNATURE = "serving_default"
LIBRARY_BYTES = 3 * 1024**3 // 2
"""How much address space TensorFlow maps before any model."""
GRAPH = "saved_model.pb"
MEND = 'give the folder that model.export("FOLDER") or tf.saved_model.save wrote'


class TensorFlow(TensorBackEnd):
    """Runs a signature of a SavedModel.

    Parameters: `signature` (by default serving_default), `inputs` (the names of its inputs in the channels'
    order; one alone need not be named), `outputs` (which of its outputs are the masks, in the structures'
    order), `axes` (by default channels are last), `dtype` (layout.py; by default what the signature says),
    `device` (devices.py).
    """

    summary = "A TensorFlow SavedModel (a folder)."
    name = "tensorflow"
    extra = "tensorflow"

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if TensorFlow or the file is missing, or it or a parameter is wrong."""
        require("tensorflow", self.extra, "tensorflow")
        path = only_file(source, "tensorflow", (SIGNATURE, INPUTS, OUTPUTS, AXES, DTYPE, DEVICE))
        wanted_signature(source)
        wanted_device(source.parameters)
        check_tensors(source.parameters)
        refuse_others(path)

    def carries_code(self, path: Path) -> bool:
        """Return whether it is a SavedModel, whose graph may do more than compute; nothing else is loaded."""
        return code_where(lambda: GRAPH in member_names(path))

    def load(self, source: ModelSource) -> None:
        """Load the model onto the device that it is to run on."""
        refuse_others(source.model_file)
        # Where this room cannot be had TensorFlow aborts; an OSError here is the same in words.
        mmap.mmap(-1, LIBRARY_BYTES).close()
        self._model = self.imported("tensorflow_model").SavedModel(source, wanted_signature(source))


def wanted_signature(source: ModelSource) -> str:
    """Return the parameter `signature`; raises InvalidModel where it is no name."""
    name = source.parameters.get(SIGNATURE, DEFAULT_SIGNATURE)
    if not isinstance(name, str) or not name:
        raise errors.InvalidModel(f"The parameter {SIGNATURE} must be a name, not {name!r:.60}.")
    return name


def refuse_others(path: Path | None) -> None:
    """Raise InvalidModel unless there is a folder as a zip, and a SavedModel is in it."""
    if path is None:
        raise not_one(path, "SavedModel", MEND)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        raise not_one(path, "SavedModel", f"take the back end keras, or {MEND}")
    if path.suffix == ".tflite":
        raise not_one(path, "SavedModel", f"TensorFlow Lite is for phones: {MEND}")
    names = member_names(path)
    if GRAPH not in names:
        raise not_one(path, f"SavedModel: there is no {GRAPH} in it", MEND)
    if not any(name.startswith("variables/variables.") for name in names):
        raise not_one(path, "SavedModel: its variables are missing", MEND)
