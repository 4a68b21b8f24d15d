"""What the back ends share that run a whole network out of one file of torch's: TorchScript, torch.export."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from segint_grpc.backends import missing_library, require
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, wanted_layout
from segint_grpc.backends.model_file import only_file

if TYPE_CHECKING:
    from segint_grpc.backends.tensor_model import TensorModel


class NetworkFile(ABC):
    """Runs a network out of its file. Parameters: `axes`, `dtype` (layout.py), `device` (devices.py)."""

    extra = "pytorch"

    name: ClassVar[str]
    """What the back end is called."""
    loader: ClassVar[str]
    """The module whose `load` reads such a file; it imports torch."""

    def __init__(self) -> None:
        """Be without a model."""
        self._model: TensorModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if torch or the file is missing, or the file is of another kind."""
        require(self.name, self.extra, "torch")
        path = only_file(source, self.name, (AXES, DTYPE, DEVICE))
        wanted_layout(source.parameters)
        wanted_device(source.parameters)
        self.refuse_others(path)

    @abstractmethod
    def refuse_others(self, path: Path | None) -> None:
        """Raise InvalidModel unless there is a file of this kind: `carries_code` denies all others."""

    def load(self, source: ModelSource) -> None:
        """Load the network onto the device that it is to run on."""
        self.refuse_others(source.model_file)
        try:
            # torch must be imported no earlier: the core asks `check`.
            self._model = importlib.import_module(self.loader).load(source)
        except ImportError as error:
            raise missing_library(self.name, self.extra, str(error)) from error

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the network returns, without its batch axis; it tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the network returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)
