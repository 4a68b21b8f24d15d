"""The back end for ONNX with a journal of its calls; an ONNX model can keep none itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from scripts.bench.journal import journaled
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.onnx import Onnx

NAME = "bench-onnx"
MODEL = Path(__file__).resolve().parents[2] / "tests" / "data" / "two_structures.onnx"
"""A network of two convolutions that draws two structures."""


class JournaledOnnx(Onnx):
    """The parameter `journal` is where calls are noted; the others are those of the back end onnx."""

    def __init__(self) -> None:
        """Be without a journal."""
        super().__init__()
        self._journal = os.devnull

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel as the back end onnx does."""
        super().check(_plain(source))

    def load(self, source: ModelSource) -> None:
        """Load the model, and remember the journal."""
        self._journal = str(source.parameters["journal"])
        super().load(_plain(source))

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return what the model returns."""
        with journaled(self._journal):
            return super().predict(channels, progress)


def _plain(source: ModelSource) -> ModelSource:
    others = {name: value for name, value in source.parameters.items() if name != "journal"}
    return replace(source, parameters=others)
