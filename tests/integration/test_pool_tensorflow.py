"""SavedModels in real model processes: TensorFlow there is a fork's, under a limit of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segint_grpc import errors
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import ModelTask
from segint_grpc.zips.folder import write_folder_zip
from tests.fakes.worker_bench import GIB, Bench, ignore, masks

PROGRAM = """
import sys, tensorflow as tf
module = tf.Module()
spec = tf.TensorSpec([None, None, None, None, 1], tf.float32, "image")
module.above = tf.function(lambda image: {"mask": image[..., 0] > 100}, input_signature=[spec])
module.large = tf.function(
    lambda image: {"mask": tf.tile(image, [1, 1000, 300, 1, 1])[..., 0] > 100}, input_signature=[spec]
)
signatures = {"above": module.above, "large": module.large}
tf.saved_model.save(module, sys.argv[1], signatures=signatures)
"""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made in a process of its own: the tests' process forks and stays free of TensorFlow."""
    folder = tmp_path_factory.mktemp("saved")
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(folder / "model")]
    subprocess.run(command, check=True, capture_output=True)
    write_folder_zip(folder / "model", folder / "model.zip")
    return folder / "model.zip"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def model(bench: Bench, path: Path, signature: str) -> ModelTask:
    parameters = {"signature": signature}
    return bench.model(None, backend="tensorflow", model_file=path, parameters=parameters)


async def test_a_model_runs_and_stays_loaded_and_what_takes_too_much_memory_names_the_limit(
    bench: Bench, model_file: Path
) -> None:
    async with WorkerPool(fork_server.start(), bench.options(memory_bytes=2 * GIB)) as pool:
        task, pids = model(bench, model_file, "above"), set()
        for _ in range(2):
            run = bench.task(task)
            await pool.run("slot-1", run, ignore)
            assert np.array_equal(masks(run)["1"], bench.image_kji > 100)
            pids |= {loaded.pid for loaded in pool.loaded()}
        assert len(pids) == 1
        with pytest.raises(errors.OutOfMemory, match="2048 MiB"):
            await pool.run("slot-1", bench.task(model(bench, model_file, "large")), ignore)


async def test_a_limit_that_is_too_low_for_tensorflow_itself_is_named(bench: Bench, model_file: Path) -> None:
    async with WorkerPool(fork_server.start(), bench.options(memory_bytes=GIB)) as pool:
        with pytest.raises(errors.OutOfMemory, match="1024 MiB"):
            await pool.run("slot-1", bench.task(model(bench, model_file, "above")), ignore)
