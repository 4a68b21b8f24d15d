"""PyTorch models, in the way of the original research server: a model file and the module of its class.

The model file is a pickled module, a state dict or safetensors; a module without weights may do without.
torch is imported when a model is loaded, never before: the core asks `check`, and must stay free of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends import pickled_code, require
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.library_back_end import LibraryBackEnd
from segint_grpc.backends.model_file import refuse_missing

if TYPE_CHECKING:
    from segint_grpc.backends.torch_model import TorchModel

INPUTS = ("array", "tensor")
"""The values of the parameter `input`: whether the model gets NumPy arrays or torch tensors, both int32."""


class PyTorch(LibraryBackEnd):
    """Runs a PyTorch model.

    Parameters: `input` (`INPUTS`; by default what the model declares), `device` (devices.py), and the
    arguments of its class.
    """

    summary = "A PyTorch model: a pickled module, state dict or safetensors, and the .py of its class."
    name = "pytorch"
    extra = "pytorch"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: TorchModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if torch is missing, a file is, or the files cannot make a model together."""
        require("pytorch", self.extra, "torch")
        if source.model_file is None and source.module_file is None:
            raise errors.InvalidModel("A PyTorch model needs a model file, a module file (.py) or both.")
        for path in (source.model_file, source.module_file):
            if path is not None:
                refuse_missing(path)
        if source.module_file is not None:
            _check_syntax(source.module_file)
        wanted = source.parameters.get("input")
        if wanted is not None and wanted not in INPUTS:
            raise errors.InvalidModel(f"The parameter input must be {' or '.join(INPUTS)}, not {wanted!r}.")

    def carries_code(self, path: Path) -> bool:
        """Return False for safetensors and for weights that torch reads with `weights_only=True`."""
        return path.suffix != ".safetensors" and pickled_code.carries_code(path)

    def load(self, source: ModelSource) -> None:
        """Load the model; raises InvalidModel where its files don't fit together or a library is missing."""
        self._model = self.imported("torch_model").load(source)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model returns for `channels`, unchecked."""
        assert self._model is not None, "load comes before predict"
        return self._model(channels, progress)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model, or its method `coarse`, returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)


def _check_syntax(path: Path) -> None:
    try:
        compile(path.read_bytes(), path.name, "exec")
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise errors.InvalidModel(f"{path.name} is no Python{line}: {error}") from None
