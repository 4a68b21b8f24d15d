"""A back end that thresholds the int16 voxels as they are mapped: what a model costs that copies nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from scripts.bench.journal import journaled
from segint_grpc.backends.base import Channel, Masks, ModelSource

NAME = "bench-int16"
LIMIT_HU = 150


class Int16Threshold:
    """One structure: everything above `LIMIT_HU`. The parameter `journal` is where calls are noted."""

    summary = "The benchmark's threshold on int16 voxels."
    extra = ""

    def __init__(self) -> None:
        """Be without a journal."""
        self._journal = os.devnull

    def check(self, source: ModelSource) -> None:
        """Take anything."""

    def load(self, source: ModelSource) -> None:
        """Remember the journal."""
        self._journal = str(source.parameters["journal"])

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return mask_kji, bool."""
        with journaled(self._journal):
            return channels[0].image_kji > LIMIT_HU
