"""Keras models, on torch: `.keras` files, and `.h5` files of whole models. TensorFlow is not needed.

A `.keras` file says in JSON what it is made of, so that whether it may run code is known before Keras sees it
(keras_file.py). An `.h5` file says it inside HDF5, which the core cannot read, so it counts as code.
"""

from __future__ import annotations

from pathlib import Path

from segint_grpc.backends import require
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.keras_file import read_config, strangers
from segint_grpc.backends.layout import AXES, DTYPE, INPUTS, OUTPUTS, check_tensors
from segint_grpc.backends.model_file import not_one, only_file
from segint_grpc.backends.tensor_back_end import TensorBackEnd

HDF5 = b"\x89HDF\r\n\x1a\n"
HDF5_SUFFIXES = (".h5", ".hdf5")
MEND = "write one with model.save, its name ending in .keras"


class Keras(TensorBackEnd):
    """Runs a Keras model.

    Parameters: `inputs` and `outputs` (as of onnx.py), `axes`, `dtype` (layout.py; by default what the model
    says, channels last where it says nothing), `device` (devices.py).
    """

    summary = "A Keras model (.keras, .h5), run on torch."
    name = "keras"
    extra = "keras"

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if a library or the file is missing, or the file or a parameter is wrong."""
        require("keras", self.extra, "keras", "torch", "h5py")
        path = only_file(source, "keras", (INPUTS, OUTPUTS, AXES, DTYPE, DEVICE))
        wanted_device(source.parameters)
        check_tensors(source.parameters)
        refuse_others(path)

    def carries_code(self, path: Path) -> bool:
        """Return whether it is an `.h5`, or a `.keras` that names more than what merely computes."""
        if path.suffix in HDF5_SUFFIXES:
            return True
        try:
            return bool(strangers(read_config(path)))
        except ValueError:
            # Never loaded.
            return False
        except OSError:
            return True

    def load(self, source: ModelSource) -> None:
        """Load the model onto the device that it is to run on."""
        refuse_others(source.model_file)
        self._model = self.imported("keras_model").KerasModel(source)


def refuse_others(path: Path | None) -> None:
    """Raise InvalidModel unless there is a file, by its name and content one that Keras reads.

    What `carries_code` denies because it cannot be read is refused here.
    """
    if path is None:
        raise not_one(path, "Keras file", MEND)
    if path.suffix in HDF5_SUFFIXES:
        with path.open("rb") as file:
            if file.read(len(HDF5)) != HDF5:
                raise not_one(path, "HDF5 file", MEND)
        return
    if path.suffix != ".keras":
        raise not_one(path, "Keras file by its name", MEND)
    try:
        read_config(path)
    except (ValueError, OSError) as error:
        raise not_one(path, f"Keras file ({error})", MEND) from None
