"""TorchScript: a network that was traced or scripted, with its weights, in one file.

A script can write files (`torch.from_file` does), so it counts as code. torch has deprecated the format and
still reads it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segint_grpc.backends import missing_library, require
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, wanted_layout
from segint_grpc.backends.model_file import archive_names, not_one, only_file

if TYPE_CHECKING:
    from segint_grpc.backends.tensor_model import TensorModel


class TorchScript:
    """Runs what `torch.jit.save` wrote. Parameters: `axes`, `dtype` (layout.py), `device` (devices.py)."""

    summary = "A TorchScript network (torch.jit.save)."
    extra = "pytorch"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: TensorModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if torch or the file is missing, or the file is no TorchScript."""
        require("torchscript", self.extra, "torch")
        path = only_file(source, "torchscript", (AXES, DTYPE, DEVICE))
        wanted_layout(source.parameters)
        wanted_device(source.parameters)
        refuse_others(path)

    def carries_code(self, path: Path) -> bool:
        """Return whether it is TorchScript, which is a program; nothing else is loaded."""
        return is_script(path)

    def load(self, source: ModelSource) -> None:
        """Load the network onto the device that it is to run on."""
        refuse_others(source.model_file)
        try:
            # torch must be imported no earlier: the core asks `check`.
            self._model = importlib.import_module("segint_grpc.backends.script_file").load(source)
        except ImportError as error:
            raise missing_library("torchscript", self.extra, str(error)) from error

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the network returns, without its batch axis; it tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the network returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)


def is_script(path: Path) -> bool:
    """Return whether the file is TorchScript, by the names in it."""
    return {"constants.pkl", "data.pkl"} <= set(archive_names(path))


def refuse_others(path: Path | None) -> None:
    """Raise InvalidModel unless there is a file and it is TorchScript: `carries_code` denies all others."""
    if path is None or not is_script(path):
        raise not_one(path, "TorchScript file", "write one with torch.jit.save(torch.jit.trace(…), …)")
