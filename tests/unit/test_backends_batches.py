"""A full GPU where a model runs on tiles: the answer is smaller batches, then the processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends import remarks
from segint_grpc.backends.base import BackEnd, Tiles
from segint_grpc.backends.batches import Batches
from segint_grpc.backends.devices import CPU, on_gpu
from segint_grpc.backends.torch_device import is_memory
from segint_grpc.worker.handled_run import HandledRun
from tests.real_models import STRUCTURES, a_channel, a_scan

FULL = "CUDA out of memory. Tried to allocate 20.00 GiB"
TILES = np.arange(5 * 2 * 3, dtype=np.float32).reshape(5, 1, 1, 2, 3)
SINGLY = "did not suffice for 5 tiles at once, so the model ran on one at a time."


class Card(BackEnd):
    """A back end on a GPU that has room for so many tiles at once, and on a processor that has for others."""

    def __init__(self, room: int, room_on_processor: int = 100) -> None:
        self.room = {"cuda:0": room, CPU: room_on_processor}
        self.place = "cuda:0"
        self.calls: list[tuple[str, int]] = []
        self.released = 0
        self._batches = Batches(is_memory, self._release)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        def batched() -> NDArray[Any]:
            return self._batches.run(self._call, tiles.values, self.place)

        return batched() if self.place == CPU else on_gpu(batched, self.place, is_memory, self._retreat)

    def _call(self, values: NDArray[np.float32]) -> NDArray[Any]:
        self.calls.append((self.place, len(values)))
        if len(values) > self.room[self.place]:
            raise torch.cuda.OutOfMemoryError(FULL) if self.place != CPU else MemoryError()
        return np.concatenate([values - 100, 100 - values], axis=1)

    def _release(self) -> None:
        self.released += 1

    def _retreat(self) -> None:
        self.place = CPU


def test_a_batch_that_a_gpu_has_no_room_for_is_run_tile_by_tile_and_gives_the_same() -> None:
    small, large = Card(room=1), Card(room=5)
    with remarks.heard() as said:
        made = small.infer(Tiles(TILES))
    assert np.array_equal(made, large.infer(Tiles(TILES)))
    assert small.calls == [("cuda:0", 5), *[("cuda:0", 1)] * 5]
    assert said.sentences == [f"The memory of the GPU (cuda:0) {SINGLY}"]
    assert not said.spent, "the process may go on: it keeps to what fits"
    assert small.released == 1


def test_the_process_remembers_it_and_says_it_once() -> None:
    card = Card(room=1)
    card.infer(Tiles(TILES))
    card.calls.clear()
    with remarks.heard() as said:
        card.infer(Tiles(TILES[:3]))
    assert card.calls == [("cuda:0", 1)] * 3
    assert not said.sentences


def test_a_single_tile_without_room_goes_to_the_processor_and_the_process_ends() -> None:
    card = Card(room=0)
    with remarks.heard() as said:
        card.infer(Tiles(TILES[:1]))
    assert card.calls == [("cuda:0", 1), (CPU, 1)]
    assert said.sentences == [
        "The memory of the GPU (cuda:0) did not suffice, so the model ran on the processor."
    ]
    assert said.spent


def test_a_batch_without_room_even_tile_by_tile_goes_to_the_processor_after_one_try_each() -> None:
    card = Card(room=0)
    with remarks.heard() as said:
        made = card.infer(Tiles(TILES))
    assert card.calls == [("cuda:0", 5), ("cuda:0", 1), *[(CPU, 1)] * 5]
    assert np.array_equal(made, Card(room=5).infer(Tiles(TILES)))
    assert len(said.sentences) == 2
    assert said.spent


def test_where_no_room_is_anywhere_it_is_an_error_after_three_tries() -> None:
    card = Card(room=0, room_on_processor=0)
    with pytest.raises(errors.OutOfMemory, match=r"on the GPU \(cuda:0\), and then on the processor"):
        card.infer(Tiles(TILES))
    assert card.calls == [("cuda:0", 5), ("cuda:0", 1), (CPU, 1)]


def test_on_the_processor_and_for_other_errors_nothing_is_tried_again() -> None:
    def broken(values: NDArray[np.float32]) -> NDArray[Any]:
        sizes.append(len(values))
        raise error

    for error, place in ((MemoryError(), CPU), (RuntimeError("size mismatch"), "cuda:0")):
        sizes: list[int] = []
        with pytest.raises(type(error)):
            Batches(is_memory, lambda: None).run(broken, TILES, place)
        assert sizes == [5]


def masks(card: Card) -> list[NDArray[np.uint8]]:
    structures = [Model_pb2.Structure(StructureID=s.structure_id, InputChannelID="1") for s in STRUCTURES]
    handling = ScanHandling(
        inference=ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[8, 8, 4], tile_batch=4),
        output=ScanHandling.Output(returns="RETURNS_LOGITS"),
    )
    channels = [a_channel(*a_scan())]
    run = HandledRun(card, handling, structures)
    return [mask_kji for _, mask_kji in run.masks(run.infer(channels, lambda share: None), channels)]


@pytest.mark.parametrize("room", [1, 0])
def test_a_scan_by_windows_has_the_same_masks_however_many_windows_a_gpu_has_room_for(room: int) -> None:
    for made, expected in zip(masks(Card(room)), masks(Card(4)), strict=True):
        assert np.array_equal(made, expected)
        assert 0.1 < expected.mean() < 0.9
