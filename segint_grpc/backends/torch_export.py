"""torch.export: a network as a graph of operators, with its weights, in a `.pt2` file.

A `.pt2` carries pickles (its sample inputs ran code when they were crafted to), so the file counts as code.
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

_GRAPHS = ("models/", "serialized_exported_program.json")
_COMPILED = "data/aotinductor/"


class TorchExport:
    """Runs what `torch.export.save` wrote. Parameters: `axes`, `dtype` (layout.py), `device` (devices.py)."""

    summary = "An exported PyTorch network (torch.export.save, .pt2)."
    extra = "pytorch"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: TensorModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if torch or the file is missing, or the file is no exported program."""
        require("torch_export", self.extra, "torch")
        path = only_file(source, "torch_export", (AXES, DTYPE, DEVICE))
        wanted_layout(source.parameters)
        wanted_device(source.parameters)
        refuse_others(path)

    def carries_code(self, path: Path) -> bool:
        """Return whether it is an exported program, which holds pickles; nothing else is loaded."""
        return is_program(path)

    def load(self, source: ModelSource) -> None:
        """Load the network onto the device that it is to run on."""
        refuse_others(source.model_file)
        try:
            # torch must be imported no earlier: the core asks `check`.
            self._model = importlib.import_module("segint_grpc.backends.exported_file").load(source)
        except ImportError as error:
            raise missing_library("torch_export", self.extra, str(error)) from error

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the network returns, without its batch axis; it tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the network returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)


def is_program(path: Path) -> bool:
    """Return whether the file is an exported program or a compiled one, by the names in it."""
    return any(name.startswith((*_GRAPHS, _COMPILED)) for name in archive_names(path))


def refuse_others(path: Path | None) -> None:
    """Raise InvalidModel unless there is an exported program: `carries_code` denies all else."""
    if path is None or not is_program(path):
        raise not_one(path, "exported program", "write one with torch.export.save(torch.export.export(…), …)")
    if any(name.startswith(_COMPILED) for name in archive_names(path)):
        raise not_one(path, "exported program but a compiled library", "write one with torch.export.save")
