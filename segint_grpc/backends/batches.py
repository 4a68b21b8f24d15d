"""Batches of tiles on a GPU: one that its memory does not suffice for is run again tile by tile.

A tile's scores do not depend on how many others are in its batch, so masks stay the same but for rounding;
with smaller windows they would not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc.backends.devices import CPU
from segint_grpc.backends.remarks import remark

Call = Callable[[NDArray[np.float32]], NDArray[Any]]
"""(tile, …) → (tile, …)."""


class Batches:
    """Calls one model with batches; once one was too large, with single tiles while the process lives."""

    def __init__(self, is_memory: Callable[[Exception], bool], release: Callable[[], None]) -> None:
        """Tell a full GPU by `is_memory`; `release` lets go of what is kept there for later calls."""
        self._is_memory = is_memory
        self._release = release
        self._single = False

    def run(self, call: Call, values: NDArray[np.float32], place: str) -> NDArray[Any]:
        """Return what `call` makes of the tiles `values` at `place` ("cpu" or a GPU).

        What a GPU's memory does not suffice for even so is raised: devices.py:on_gpu knows the way out.
        """
        if len(values) > 1 and not self._single:
            try:
                return call(values)
            except Exception as error:
                if place == CPU or not self._is_memory(error):
                    raise
            # Not within the except clause: there the traceback still holds what fills the GPU.
            self._single = True
            self._release()
            told = f"The memory of the GPU ({place}) did not suffice for {len(values)} tiles at once"
            remark(f"{told}, so the model ran on one at a time.")
        if len(values) == 1:
            return call(values)
        return np.concatenate([call(values[n : n + 1]) for n in range(len(values))])
