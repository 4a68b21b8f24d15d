"""ONNX models in real model processes: what takes too much memory or never ends fails its own job alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
import pytest_asyncio
from onnx import TensorProto, helper, numpy_helper

from segint_grpc import errors
from segint_grpc.domain.jobs import Stage
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import ModelTask
from tests.fakes.worker_bench import Bench, ignore, masks

pytestmark = pytest.mark.asyncio(loop_scope="module")

KILL_S = 0.1


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerPool]:
    options = Bench(tmp_path_factory.mktemp("onnx")).options()
    async with WorkerPool(fork_server.start(), options) as running:
        yield running


def model(bench: Bench, nodes: Sequence[onnx.NodeProto], **constants: object) -> ModelTask:
    """A model of `nodes` that makes `mask` of `image`."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["d", "h", "w"])
    mask = helper.make_tensor_value_info("mask", TensorProto.BOOL, None)
    values = [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [image], [mask], initializer=values)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = bench.folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return bench.model(None, backend="onnx", model_file=path)


ABOVE = helper.make_node("Greater", ["image", "limit"], ["mask"])
LIMIT = np.float32(100)


def endless() -> list[onnx.NodeProto]:
    """A loop that goes on for years."""
    number, going = (helper.make_tensor_value_info(n, k, []) for n, k in (("n", 7), ("going", 9)))
    value, after = (helper.make_tensor_value_info(n, 1, ["d", "h", "w"]) for n in ("value", "after"))
    still = helper.make_tensor_value_info("still", 9, [])
    inner = [
        helper.make_node("Identity", ["going"], ["still"]),
        helper.make_node("Sin", ["value"], ["after"]),
    ]
    body = helper.make_graph(inner, "body", [number, going, value], [still, after])
    return [
        helper.make_node("Loop", ["times", "start", "image"], ["last"], body=body),
        helper.make_node("Greater", ["last", "limit"], ["mask"]),
    ]


async def test_a_model_runs_and_stays_loaded(pool: WorkerPool, bench: Bench) -> None:
    task, pids = model(bench, [ABOVE], limit=LIMIT), set()
    for _ in range(2):
        run = bench.task(task)
        await pool.run("slot-1", run, ignore)
        assert np.array_equal(masks(run)["1"], bench.image_kji > 100)
        pids |= {loaded.pid for loaded in pool.loaded()}
    assert len(pids) == 1


async def test_memory_beyond_the_limit_fails_the_job_and_names_the_limit(
    pool: WorkerPool, bench: Bench
) -> None:
    tiled = helper.make_node("Tile", ["image", "many"], ["large"])
    nodes = [tiled, helper.make_node("Greater", ["large", "limit"], ["mask"])]
    task = bench.task(model(bench, nodes, limit=LIMIT, many=np.array([1000, 300, 1])))
    with pytest.raises(errors.OutOfMemory, match="1024 MiB"):
        await pool.run("slot-1", task, ignore)


async def test_cancelling_kills_a_run_within_a_tenth_of_a_second(pool: WorkerPool, bench: Bench) -> None:
    task = model(bench, endless(), limit=LIMIT, times=np.int64(2**60), start=np.True_)
    began = asyncio.Event()

    def told(stage: Stage, share: float) -> None:
        if stage is Stage.INFER:
            began.set()

    run = asyncio.create_task(pool.run("slot-1", bench.task(task), told))
    await asyncio.wait_for(began.wait(), 30)
    (pid,) = [loaded.pid for loaded in pool.loaded() if loaded.busy]
    start = time.perf_counter()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert time.perf_counter() - start < KILL_S
    assert not psutil.pid_exists(pid)
