"""What the back ends share whose model takes tensors, by a library that is imported when one is loaded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from segint_grpc.backends import missing_library
from segint_grpc.backends.base import Channel, Masks, Tiles


class Network(Protocol):
    """A loaded model."""

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return what the model returns for whole volumes, without its batch axis."""

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model returns for `tiles`."""


class TensorBackEnd:
    """Two of the verbs. Whoever extends it has `check`, `carries_code`, and `load`, which sets `_model`."""

    name: ClassVar[str]
    """What the back end is called."""
    extra: ClassVar[str]

    def __init__(self) -> None:
        """Be without a model."""
        self._model: Network | None = None

    def imported(self, module: str) -> Any:
        """Return the module `segint_grpc.backends.MODULE`, which imports the library.

        Only `load` does so: the core, which asks `check`, need not hold the library.

        Raises:
            InvalidModel: it is missing; the message names the extra.
        """
        try:
            return importlib.import_module(f"segint_grpc.backends.{module}")
        except ImportError as error:
            raise missing_library(self.name, self.extra, str(error)) from error

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model returns, without its batch axis; it tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)
