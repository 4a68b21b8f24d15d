"""nnunetv2's predictor, which tells how many of its tiles are done. Imports torch and nnunetv2."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

TILES_SHARE = 0.9
"""How much of a run the tiles are taken to be; the rest is laying the scores back on the scan's grid."""


class TellingPredictor(nnUNetPredictor):  # type: ignore[misc]  # nnunetv2 has no types.
    """Counts the network's calls. `begin` comes once the network is there, `tell` before each scan."""

    def begin(self) -> None:
        """Have every call of the network counted."""
        self._progress: Callable[[float], None] = lambda share: None
        self._folds_done = self._calls = self._calls_wanted = 0
        self._share = 0.0
        self.network.register_forward_hook(self._count)

    def tell(self, progress: Callable[[float], None]) -> None:
        """Tell the next scan's finished share to `progress`; it never falls within one scan."""
        self._progress = progress
        self._share = 0.0

    def predict_logits_from_preprocessed_data(self, data: torch.Tensor) -> torch.Tensor:
        """Return the mean scores of the folds for one prepared scan."""
        self._folds_done = -1
        scores: torch.Tensor = super().predict_logits_from_preprocessed_data(data)
        return scores

    def _internal_get_sliding_window_slicers(self, image_size: tuple[int, ...]) -> list[Any]:
        # Once for each fold, before its first tile.
        slicers: list[Any] = super()._internal_get_sliding_window_slicers(image_size)
        mirrored = (self.allowed_mirroring_axes or ()) if self.use_mirroring else ()
        self._folds_done, self._calls = self._folds_done + 1, 0
        self._calls_wanted = len(slicers) * 2 ** len(mirrored)
        return slicers

    def _count(self, *_: Any) -> None:
        # A fold that begins anew, since its scores did not fit into the GPU, counts on from its end.
        self._calls = min(self._calls + 1, self._calls_wanted)
        done = self._folds_done + self._calls / max(1, self._calls_wanted)
        # A scan that begins anew, since the GPU was full, has been told of before.
        self._share = max(self._share, TILES_SHARE * done / len(self.list_of_parameters))
        self._progress(self._share)


class Producer(Thread):
    """The thread that hands tiles over; what it fails of is raised where they are taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take what threading.Thread takes; the last of `args` is the queue."""
        super().__init__(*args, **kwargs)
        self._queue = kwargs["args"][-1]

    def run(self) -> None:
        """Hand the tiles over."""
        try:
            super().run()
        except BaseException as error:
            self._queue.put(_Failed(error))


class _Failed:
    """Stands for a tile, and raises `error` when it is taken apart."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __iter__(self) -> Iterator[Any]:
        raise self._error
