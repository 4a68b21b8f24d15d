"""What every job is looked at for: in its worker, against earlier jobs, and before it is taken in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from generated.radiomics.Model_pb2 import ModelInput
from segint_grpc import errors
from segint_grpc.service.hop import Hop
from segint_grpc.service.memory_fit import STARTING_BYTES, MemoryFit
from segint_grpc.service.run_history import RunHistory
from segint_grpc.service.usual_volumes import with_unusual_volumes
from segint_grpc.store import Store
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.stores import Clock, a_result, make_home, running_job
from tests.fakes.worker_bench import THRESHOLD, Bench, ignore
from tests.families import a_structure, a_version

GIB = 1024**3
VERSION = a_version("liver", [a_structure("1"), a_structure("2", name="Spleen")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(make_home(tmp_path), Clock()) as store:
        yield store


@pytest.fixture
def history(store: Store) -> Iterator[RunHistory]:
    with Hop("test") as hop:
        yield RunHistory(store, hop)


def an_earlier_job(store: Store, **measured: object) -> None:
    _, lease = running_job(store, model_id="liver")
    store.jobs.succeed(lease, a_result(**measured))


def a_scan(width: int, height: int, depth: int) -> ModelInput:
    message = ModelInput()
    volume = message.Channels.add().CalibratedVolume.Volume
    volume.Width, volume.Height, volume.Depth = width, height, depth
    return message


async def test_a_run_tells_its_voxels_its_volumes_and_what_is_worth_a_look(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    image_kji = np.zeros((6, 20, 16), np.int16)
    image_kji[2:, 5:9, 5:9] = 200
    task = bench.task(bench.model(THRESHOLD), bench.channel(image_kji))
    empty = bench.task(task.model, bench.channel(np.zeros_like(image_kji)))
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        result = await pool.run("slot-1", task, ignore)
        nothing = await pool.run("slot-1", empty, ignore)
    assert result.voxels == 6 * 20 * 16
    assert result.volumes_ml == {"1": pytest.approx(4 * 4 * 4 * 4.5 / 1000)}
    assert result.warnings == ("Cut off by the edge of the scan: structure 1 (head).",)
    assert nothing.warnings == ("Nothing was found of structure 1.",)


async def test_a_volume_is_held_against_those_of_earlier_jobs(store: Store, history: RunHistory) -> None:
    for number in range(12):
        an_earlier_job(store, volumes_ml={"1": 1400.0 + 10 * number, "2": 200.0})
    result = a_result(warnings=("Before.",), volumes_ml={"1": 5000.0, "2": 210.0})
    warnings = with_unusual_volumes(result, VERSION, await history.volumes_ml("liver")).warnings
    assert warnings[0] == "Before."
    assert warnings[1].startswith("Liver has 5000 ml; the 12 masks before had 1400 ml to 1510 ml")
    assert len(warnings) == 2


async def test_a_scan_that_memory_cannot_hold_is_refused_with_both_numbers(
    store: Store, history: RunHistory
) -> None:
    for number in range(1, 5):
        an_earlier_job(store, voxels=number * 10**6, peak_memory_bytes=STARTING_BYTES + number * GIB)
    memory, past = MemoryFit(limit_bytes=8 * GIB, voxels_max=10**9), await history.memory("liver")
    memory.check(a_scan(100, 100, 790), "liver", past)
    with pytest.raises(errors.TooLarge) as caught:
        memory.check(a_scan(100, 100, 1000), "liver", past)
    assert "10.00 GiB" in caught.value.message
    assert "8.00 GiB (setting slot_memory_bytes)" in caught.value.message
    memory.check(a_scan(100, 100, 1000), "another", await history.memory("another"))


async def test_dimensions_that_no_scan_has_are_left_to_the_job(store: Store, history: RunHistory) -> None:
    an_earlier_job(store, voxels=1, peak_memory_bytes=100 * GIB)
    memory, past = MemoryFit(limit_bytes=GIB, voxels_max=10**9), await history.memory("liver")
    memory.check(a_scan(2**31, 2**31, 2**31), "liver", past)
    with pytest.raises(errors.TooLarge):
        memory.check(a_scan(100, 100, 100), "liver", past)
