"""Real models of every kind in real model processes: loaded once, within their slot's share of the cores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import pytest_asyncio

from segint_grpc.domain.jobs import Result, Stage
from segint_grpc.worker import fork_server, machine
from segint_grpc.worker.pool import WorkerPool
from tests import real_models
from tests.fakes import worker_bench
from tests.fakes.worker_bench import GIB, Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")


THREADS = {"pytorch": 1, "torchscript": 1, "torch_export": 1, "onnx": 2, "sklearn": 1, "xgboost": 1}
"""Of a process whose share is one; ONNX Runtime has one more, which computes nothing, from its import on."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerPool]:
    """A pool with as many slots as there are cores, so that each has one thread."""
    facts = {"slots": machine.cores(), "memory_bytes": 8 * GIB, "warm_models_max": 1}
    options = Bench(tmp_path_factory.mktemp("back-ends")).options(**facts)
    async with WorkerPool(fork_server.start(), options) as running:
        yield running


@pytest.mark.parametrize("name", real_models.BUILDERS)
async def test_a_second_job_finds_its_model_loaded_and_computes_with_the_slots_share_of_the_cores(
    pool: WorkerPool, tmp_path: Path, name: str
) -> None:
    bench, model = Bench(tmp_path), real_models.built(name)
    image_kji, _ = real_models.a_scan()
    task = bench.model(
        None,
        name=name,
        structures=[(spec.structure_id, spec.input_channel_id) for spec in real_models.STRUCTURES],
        backend=model.backend,
        model_file=model.model_file,
        module_file=model.module_file,
        entry=model.entry,
        parameters=model.parameters,
    )
    stages: list[list[Stage]] = []
    results: list[Result] = []
    masks, pids = [], []
    for _ in range(2):
        run = bench.task(task, bench.channel(image_kji))
        stages.append([])
        results.append(await pool.run("slot-1", run, lambda stage, share: stages[-1].append(stage)))
        masks.append(worker_bench.masks(run))
        pids.append(pool.loaded()[-1].pid)
    assert pids[0] == pids[1]
    assert [Stage.LOAD in told for told in stages] == [True, False]
    assert [Stage.INFER in told for told in stages] == [True, True]
    assert [result.load is not None for result in results] == [True, False]
    assert all(np.array_equal(mask, masks[1][structure]) for structure, mask in masks[0].items())
    if name in THREADS:
        assert psutil.Process(pids[0]).num_threads() <= THREADS[name]
