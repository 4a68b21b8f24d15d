"""What restoring masks takes of memory: with 100 structures hardly more than with 20."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.worker_bench import GIB, Bench, ignore

MIB = 1024**2
SHAPE_KJI = (300, 512, 512) if "SEGINT_FULL_SIZE" in os.environ else (75, 256, 256)
"""With SEGINT_FULL_SIZE=1 and --junit-xml, the figures of docs/geometry.md, in some two minutes."""

LABELS = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self, count):
            super().__init__()
            self.count = count

        def forward(self, x):
            # As many labels as structures, in slabs along the columns.
            columns = torch.arange(x.shape[-1]) * self.count // x.shape[-1] + 1
            return torch.where(x > -0.5, columns, 0).to(torch.int16)
"""


async def peak_bytes(folder: Path, count: int, shape_kji: tuple[int, int, int]) -> int:
    """The most memory that a run of `count` structures on a scan of `shape_kji` holds."""
    handling = ScanHandling(
        input=ScanHandling.Input(spacing_mm=[2.1, 3.1, 6.1], orientation="LPS"),
        inference=ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[96, 96, 32]),
        output=ScanHandling.Output(returns="RETURNS_LABELS"),
    )
    bench = Bench(folder)
    structures = [(str(number), "1") for number in range(1, count + 1)]
    image = np.broadcast_to(np.int16(40), shape_kji)
    model = bench.model(
        LABELS, structures=structures, parameters={"count": count}, handling=handling.SerializeToString()
    )
    async with WorkerPool(fork_server.start(), bench.options(memory_bytes=12 * GIB)) as pool:
        task = bench.task(model, bench.channel(np.ascontiguousarray(image)))
        return (await pool.run("slot", task, ignore)).peak_memory_bytes


@pytest.mark.timeout(300)
async def test_a_hundred_structures_take_hardly_more_memory_than_twenty(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    found = {}
    for count in (20, 100):
        folder = tmp_path / str(count)
        folder.mkdir()
        found[count] = await peak_bytes(folder, count, SHAPE_KJI)
        record_testsuite_property(f"peak MiB with {count} structures", round(found[count] / MIB, 1))
    assert found[100] < 1.1 * found[20], {count: peak / MIB for count, peak in found.items()}
