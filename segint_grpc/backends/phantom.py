"""The phantom: a box in the middle of the scan, whatever the scan shows. It proves the way there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource

HALF_WIDTH = 30
"""Half the box's rows and columns, in voxels; a smaller scan clips the box."""


class Phantom:
    """Runs no model: every structure gets the box on the grid of its channel."""

    summary = "A box in the middle of the scan, for trying the way there and back."
    extra = ""

    def __init__(self) -> None:
        """Be without a model."""
        self._channel_ids: dict[str, str] = {}

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if there are files: a phantom that looks like a model would mislead."""
        if source.model_file or source.module_file:
            raise errors.InvalidModel("The back end phantom takes no files; a model needs another back end.")

    def carries_code(self, path: Path) -> bool:
        """Return False: the phantom loads no file, whatever is in it."""
        return False

    def load(self, source: ModelSource) -> None:
        """Remember on which channel's grid each structure lies."""
        self._channel_ids = {spec.structure_id: spec.input_channel_id for spec in source.structures}

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji, bool, on the grid of the structure's channel or of the only one."""
        by_id = {channel.channel_id: channel for channel in channels}
        masks = {}
        for done, (structure_id, channel_id) in enumerate(self._channel_ids.items()):
            channel = channels[0] if len(channels) == 1 else by_id[channel_id]
            masks[structure_id] = box(channel.geometry.shape_kji)
            progress((done + 1) / len(self._channel_ids))
        return masks


def box(shape_kji: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return a mask_kji, bool: the middle half of the slices (at least one), 60 × 60 voxels in each."""
    depth, height, width = shape_kji
    first = depth // 4
    mask_kji = np.zeros(shape_kji, dtype=np.bool_)
    mask_kji[first : max(3 * first, first + 1), _middle(height), _middle(width)] = True
    return mask_kji


def _middle(size: int) -> slice:
    return slice(max(0, size // 2 - HALF_WIDTH), min(size, size // 2 + HALF_WIDTH))
