"""An nnU-Net in a real model process: warm from its second job on, under a limit of memory."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from segint_grpc import errors
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import ModelTask, RunTask
from tests.fakes.worker_bench import Bench, ignore, masks
from tests.real_models import STRUCTURES, a_scan, built

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE_S = 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("nnunet"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(bench: Bench) -> AsyncIterator[WorkerPool]:
    async with WorkerPool(fork_server.start(), bench.options()) as running:
        yield running


def task(bench: Bench, *, large: bool = False) -> RunTask:
    """A job for the real model; or one with a scan for which a GiB does not suffice."""
    real = built("nnunet")
    image_kji, _ = a_scan()
    if large:
        image_kji = np.random.default_rng(2).integers(-900, 1200, (120, 500, 500)).astype(np.int16)
    model: ModelTask = bench.model(
        None,
        backend="nnunet",
        model_file=real.model_file,
        parameters=real.parameters,
        structures=[(spec.structure_id, spec.input_channel_id) for spec in STRUCTURES],
        cache=bench.folder / "cache" / "model",
    )
    return bench.task(model, bench.channel(image_kji))


async def test_its_second_job_finds_it_loaded_and_gives_the_same_masks(
    pool: WorkerPool, bench: Bench
) -> None:
    pids, made = set(), []
    for _ in range(2):
        run = task(bench)
        async with asyncio.timeout(PATIENCE_S):
            await pool.run("slot-1", run, ignore)
        pids |= {loaded.pid for loaded in pool.loaded()}
        made.append(masks(run))
    assert len(pids) == 1
    for name in ("bright", "left"):
        assert made[0][name].any()
        np.testing.assert_array_equal(made[0][name], made[1][name])


async def test_too_large_a_scan_fails_its_job_and_does_not_hang(pool: WorkerPool, bench: Bench) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(errors.OutOfMemory, match="1024 MiB"):
            await pool.run("slot-1", task(bench, large=True), ignore)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_nothing_is_left_beside_what_was_unpacked(pool: WorkerPool, bench: Bench) -> None:
    assert files(bench.folder / "cache") == sorted(
        Path(name).name for name in zipfile.ZipFile(built("nnunet").model_file).namelist()
    )
