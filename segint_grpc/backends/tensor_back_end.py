"""What the back ends share whose model takes tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from segint_grpc.backends.base import Channel, Masks, Tiles
from segint_grpc.backends.library_back_end import LibraryBackEnd


class Network(Protocol):
    """A loaded model."""

    def predict(self, channels: Sequence[Channel]) -> Masks:
        """Return what the model returns for whole volumes, without its batch axis."""

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model returns for `tiles`."""


class TensorBackEnd(LibraryBackEnd):
    """Two of the verbs. Whoever extends it has `check`, `carries_code`, and `load`, which sets `_model`."""

    def __init__(self) -> None:
        """Be without a model."""
        self._model: Network | None = None

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model returns, without its batch axis; it tells no progress."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the model returns for `tiles`."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)
