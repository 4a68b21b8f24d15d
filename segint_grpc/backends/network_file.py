"""What the back ends share that run a whole network out of one file of torch's: TorchScript, torch.export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import ClassVar

from segint_grpc.backends import require
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import AXES, DTYPE, wanted_layout
from segint_grpc.backends.model_file import only_file
from segint_grpc.backends.tensor_back_end import TensorBackEnd


class NetworkFile(TensorBackEnd, ABC):
    """Runs a network out of its file. Parameters: `axes`, `dtype` (layout.py), `device` (devices.py)."""

    extra = "pytorch"

    loader: ClassVar[str]
    """The module here whose `read` makes a Network of such a file on a device; it imports torch."""

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
        tensors, read = self.imported("tensor_model"), self.imported(self.loader).read
        self._model = tensors.TensorModel(source, partial(read, source.model_file))
