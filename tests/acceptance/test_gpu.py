"""Models on a GPU, through the whole server where it is installed, else through their back ends.

Skipped where there is no GPU that torch can compute on. Run it by itself:

    python3 -m pytest tests/acceptance/test_gpu.py
"""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.domain.jobs import Result
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import ModelTask, RunTask
from tests import real_models
from tests.acceptance.serving import SEGINT
from tests.acceptance.test_back_ends import install
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.fakes import worker_bench
from tests.fakes.worker_bench import Bench
from tests.real_models import RealModel


def why_no_gpu() -> str:
    """Why torch cannot compute on a GPU, asked in a process of its own: this one must stay free of CUDA."""
    program = "import torch; torch.ones(8, device='cuda').sum().item()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no answer"])[-1]


NO_GPU = why_no_gpu()
pytestmark = [
    pytest.mark.skipif(bool(NO_GPU), reason=f"torch has no GPU to compute on ({NO_GPU[:100]})"),
    pytest.mark.asyncio(loop_scope="module"),
    # Of torch 2.11's own reader of .pt2 files.
    pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning"),
]

ONNX = Path(__file__).parents[1] / "data" / "two_structures.onnx"
"""What tests.real_models.onnx exports, for where its exporter is not installed."""
TORCH_FAMILY = ("pytorch", "torchscript", "torch_export")
ON_TORCH = {"keras": "keras", "monai": "monai", "nnunet": "nnunetv2"}
"""Further back ends that compute by torch, and the library that each needs here."""
SHARE_MAX = 1e-3
"""How many voxels' masks may differ between a GPU and a processor: scores near 0 round otherwise (TF32)."""
GIB = 1024**3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpu")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(folder: Path) -> AsyncIterator[WorkerPool]:
    """A pool of real model processes, made by a fork server as in production."""
    options = Bench(folder).options(memory_bytes=16 * GIB)
    async with WorkerPool(fork_server.start(threads=4), options) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def built(name: str) -> RealModel:
    """A real model of the back end `name`; skips where its library is missing."""
    if find_spec(ON_TORCH.get(name, "torch")) is None:
        pytest.skip(f"{ON_TORCH[name]} is not installed")
    return real_models.built(name)


def source(model: RealModel, device: str) -> ModelSource:
    files = (model.model_file, model.module_file, model.entry)
    parameters = {**model.parameters, "device": device}
    return ModelSource("v", real_models.STRUCTURES, real_models.CHANNELS, *files, parameters)


def task_of(bench: Bench, model: RealModel, device: str) -> ModelTask:
    structures = [(spec.structure_id, spec.input_channel_id) for spec in real_models.STRUCTURES]
    facts = {"model_file": model.model_file, "module_file": model.module_file, "entry": model.entry}
    return bench.model(
        None,
        name=f"{model.backend} {device}",
        structures=structures,
        backend=model.backend,
        parameters={**model.parameters, "device": device},
        **facts,
    )


async def ran(
    pool: WorkerPool, bench: Bench, model: RealModel, device: str
) -> tuple[NDArray[np.uint8], Result]:
    """The masks [structure, k, j, i] that a job in the pool makes of `real_models.a_scan`, and its result."""
    image_kji, geometry = real_models.a_scan()
    task = bench.task(task_of(bench, model, device), bench.channel(image_kji, where=geometry))
    result = await pool.run("slot-1", task, worker_bench.ignore)
    made = worker_bench.masks(task)
    return np.stack([made[spec.structure_id] for spec in real_models.STRUCTURES]), result


async def test_the_fork_server_has_not_touched_the_gpu(pool: WorkerPool, bench: Bench) -> None:
    asked = "assert not torch.cuda.is_initialized(); torch.ones(3, device='cuda').sum().item()"
    await pool.run("slot-1", bench.task(bench.model(worker_bench.doing(asked))), worker_bench.ignore)


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0"])
@pytest.mark.parametrize("name", [*TORCH_FAMILY, *ON_TORCH])
async def test_a_model_computes_on_the_gpu_and_agrees_with_the_processor(
    pool: WorkerPool, bench: Bench, name: str, device: str
) -> None:
    model = built(name)
    image_kji, geometry = real_models.a_scan()
    masks, result = await ran(pool, bench, model, device)
    assert np.mean(masks != model.bare(image_kji, geometry)) <= SHARE_MAX
    assert result.load
    assert result.load.device == "cuda:0"
    assert result.load.gpu_memory_bytes > 0
    again, _ = await ran(pool, bench, model, device)
    np.testing.assert_array_equal(again, masks)
    assert not [warning for warning in result.warnings if "GPU" in warning]


@pytest.mark.parametrize("name", TORCH_FAMILY)
async def test_auto_is_the_gpu_and_cpu_is_not(name: str) -> None:
    """Asked in a process of its own, since this one must stay free of CUDA."""
    model = real_models.built(name)
    program = f"""
import torch, sys
from tests.acceptance.test_gpu import source
from tests.real_models import RealModel, a_channel, a_scan
from segint_grpc import backends
from pathlib import Path
files = [Path(path) if path else None for path in {[str(model.model_file), str(model.module_file or "")]!r}]
model = RealModel({name!r}, None, *files, {model.entry!r}, {dict(model.parameters)!r})
for device in ("cpu", "auto"):
    assert not torch.cuda.is_initialized(), device
    backend = backends.load_backend({name!r})
    backend.load(source(model, device))
    backend.predict([a_channel(*a_scan())], lambda share: None)
assert torch.cuda.max_memory_allocated() > 0
"""
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.PIPE
    )
    _, said = await asked.communicate()
    assert asked.returncode == 0, said.decode()


async def test_tiles_run_on_the_gpu_whatever_the_model_gets_of_whole_volumes(
    pool: WorkerPool, bench: Bench
) -> None:
    tiles = """
        import torch

        class Net(torch.nn.Module):
            def forward(self, values):
                assert values.is_cuda, values.device
                return torch.where(values > 100, 20.0, -20.0)
    """
    handling = ScanHandling(
        inference=ScanHandling.Inference(mode="MODE_WHOLE"),
        output=ScanHandling.Output(returns="RETURNS_LOGITS"),
    )
    task = bench.task(bench.model(tiles, name="tiles", handling=handling.SerializeToString()))
    await pool.run("slot-1", task, worker_bench.ignore)
    assert np.array_equal(worker_bench.masks(task)["1"], bench.image_kji > 100)


FILLS_THE_GPU = """
import torch

class Net(torch.nn.Module):
    def forward(self, image: torch.Tensor):
        if image.is_cuda:
            # More than any GPU has.
            torch.empty(2**45, dtype=torch.uint8, device=image.device)
        return image > 100
"""


async def test_a_full_gpu_is_answered_by_the_processor_a_warning_and_a_new_process(
    pool: WorkerPool, bench: Bench
) -> None:
    model = bench.model(FILLS_THE_GPU, name="full")
    task = bench.task(model)
    result = await pool.run("slot-1", task, worker_bench.ignore)
    assert np.array_equal(worker_bench.masks(task)["1"], bench.image_kji > 100)
    assert [warning for warning in result.warnings if "did not suffice" in warning] == [
        "The memory of the GPU (cuda:0) did not suffice, so the model ran on the processor."
    ]
    assert "full" not in [loaded.version_id for loaded in pool.loaded()]


BY_TILES = """
import torch

class Net(torch.nn.Module):
    def forward(self, values):
        where = "cuda" if values.is_cuda else "cpu"
        with open({told!r}, "a") as told:
            told.write(where + str(len(values)) + " ")
        if values.is_cuda:
            torch.empty(len(values) * {tile}, dtype=torch.uint8, device=values.device)
        return torch.where(values > 100, 20.0, -20.0)
"""


@pytest.mark.parametrize(
    ("tile", "calls"), [(GIB // 2, "cuda4 cuda1 cuda1 cuda1 cuda1 "), (2 * GIB, "cuda4 cuda1 cpu1 cpu1 ")]
)
async def test_a_batch_that_the_gpu_has_no_room_for_runs_tile_by_tile_and_then_on_the_processor(
    pool: WorkerPool, bench: Bench, tile: int, calls: str
) -> None:
    told = bench.folder / "told"
    handling = ScanHandling(
        inference=ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[8, 8, 6], tile_batch=4),
        output=ScanHandling.Output(returns="RETURNS_LOGITS"),
    )
    source, name = BY_TILES.format(told=str(told), tile=tile), f"by tiles {tile}"
    facts: dict[str, Any] = {"handling": handling.SerializeToString(), "gpu_memory_bytes": GIB}
    model = bench.model(source, name=name, **facts)
    task = bench.task(model)
    result = await pool.run("slot-1", task, worker_bench.ignore)
    assert np.array_equal(worker_bench.masks(task)["1"], bench.image_kji > 100)
    assert told.read_text().startswith(calls)
    assert [warning for warning in result.warnings if "did not suffice for 4 tiles at once" in warning]
    stays = "cpu" not in calls
    assert (name in [loaded.version_id for loaded in pool.loaded()]) is stays
    if stays:
        told.write_text("")
        again = await pool.run("slot-1", bench.task(model), worker_bench.ignore)
        assert set(told.read_text().split()) == {"cuda1"}
        assert not [warning for warning in again.warnings if "did not suffice" in warning]


FILLS_BOTH = """
import torch

class Net(torch.nn.Module):
    def forward(self, image: torch.Tensor):
        torch.empty(2**45, dtype=torch.uint8, device=image.device)
        return image > 100
"""


async def test_too_little_memory_on_both_is_an_error_that_names_both(pool: WorkerPool, bench: Bench) -> None:
    with pytest.raises(errors.OutOfMemory, match=r"on the GPU \(cuda:0\), and then on the processor"):
        await pool.run("slot-1", bench.task(bench.model(FILLS_BOTH)), worker_bench.ignore)


MOVES_ITSELF = """
import torch

class Net(torch.nn.Module):
    def forward(self, image):
        image = torch.from_numpy(image).cuda()
        torch.empty({size}, dtype=torch.uint8, device="cuda")
        return (image > 100).cpu()
"""


async def test_a_model_that_moves_itself_still_works_and_says_when_the_gpu_is_full(
    pool: WorkerPool, bench: Bench
) -> None:
    task = bench.task(bench.model(MOVES_ITSELF.format(size=8)))
    await pool.run("slot-1", task, worker_bench.ignore)
    assert np.array_equal(worker_bench.masks(task)["1"], bench.image_kji > 100)
    with pytest.raises(errors.OutOfMemory, match="ran out of the GPU's memory"):
        await pool.run(
            "slot-1", bench.task(bench.model(MOVES_ITSELF.format(size=2**45))), worker_bench.ignore
        )


HELD = """
import torch

class Net(torch.nn.Module):
    def forward(self, image: torch.Tensor):
        torch.empty({size}, dtype=torch.uint8, device=image.device)
        return image > (100 if image.is_cuda else 200)
"""


async def test_a_version_gets_of_the_gpu_what_it_declares_and_no_more(pool: WorkerPool, bench: Bench) -> None:
    above = {}
    for size in (GIB // 2, 2 * GIB):
        model = bench.model(HELD.format(size=size), name=f"held {size}", gpu_memory_bytes=GIB)
        task = bench.task(model)
        result = await pool.run("slot-1", task, worker_bench.ignore)
        above[size] = [limit for limit in (100, 200) if same(task, bench.image_kji > limit)]
    assert above == {GIB // 2: [100], 2 * GIB: [200]}
    assert [warning for warning in result.warnings if "limits.gpu_memory_bytes" in warning] == [
        "The memory of the GPU (cuda:0, 1.00 GiB of it by limits.gpu_memory_bytes) did not suffice, so the "
        "model ran on the processor."
    ]


def same(task: RunTask, mask_kji: NDArray[np.bool_]) -> bool:
    return np.array_equal(worker_bench.masks(task)["1"], mask_kji)


async def test_where_no_gpu_has_what_a_version_declares_auto_is_the_processor_and_cuda_an_error(
    pool: WorkerPool, bench: Bench
) -> None:
    facts: dict[str, Any] = {"gpu_memory_bytes": 2**45}
    task = bench.task(bench.model(HELD.format(size=8), name="large", **facts))
    result = await pool.run("slot-1", task, worker_bench.ignore)
    assert same(task, bench.image_kji > 200)
    (warning,) = [warning for warning in result.warnings if "limits.gpu_memory_bytes asks" in warning]
    assert "32768.00 GiB" in warning
    assert "large" not in [loaded.version_id for loaded in pool.loaded()]
    named = bench.model(HELD.format(size=8), parameters={"device": "cuda"}, **facts)
    with pytest.raises(errors.ModelFailure, match=r"The device cuda cannot be used \(cuda:0 has .* free"):
        await pool.run("slot-1", bench.task(named), worker_bench.ignore)


async def test_a_gpu_that_is_not_there_is_an_error_that_says_so(pool: WorkerPool, bench: Bench) -> None:
    model = bench.model(FILLS_THE_GPU, name="far", parameters={"device": "cuda:77"})
    with pytest.raises(errors.ModelFailure, match=r"The device cuda:77 cannot be used"):
        await pool.run("slot-1", bench.task(model), worker_bench.ignore)


REPEATS = """
import torch

class Net(torch.nn.Module):
    def forward(self, image: torch.Tensor):
        sums = torch.zeros(1000, device=image.device)
        sums.index_add_(0, image.flatten().long() % 1000, torch.rand(image.numel(), device=image.device))
        {further}
        return torch.rand(image.shape, device=image.device) + 0 * sums.sum() > 0.5
"""


async def test_random_numbers_on_the_gpu_are_those_of_the_job_before(pool: WorkerPool, bench: Bench) -> None:
    model, made = bench.model(REPEATS.format(further=""), name="repeats"), []
    for _ in range(2):
        task = bench.task(model)
        await pool.run("slot-1", task, worker_bench.ignore)
        made.append(worker_bench.masks(task)["1"])
    assert np.array_equal(*made)


async def test_what_torch_cannot_repeat_on_a_gpu_is_noted_in_the_job(pool: WorkerPool, bench: Bench) -> None:
    unlike = "torch.histc(torch.rand(1000, device=image.device), bins=10)"
    task = bench.task(bench.model(REPEATS.format(further=unlike), name="unlike"))
    result = await pool.run("slot-1", task, worker_bench.ignore)
    assert [warning for warning in result.warnings if "does not promise the same masks twice" in warning]


def has_cuda_runtime() -> bool:
    onnxruntime = pytest.importorskip("onnxruntime")
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


async def test_onnx_runs_on_the_gpu_where_its_runtime_can_and_says_so_where_it_cannot(
    pool: WorkerPool, bench: Bench
) -> None:
    able = has_cuda_runtime()
    model = RealModel(
        "onnx", functools.partial(real_models.run_onnx, ONNX), ONNX, parameters={"axes": "NCDHW"}
    )
    image_kji, geometry = real_models.a_scan()
    masks, result = await ran(pool, bench, model, "auto")
    assert np.mean(masks != model.bare(image_kji, geometry)) <= SHARE_MAX
    if able:
        assert [warning for warning in result.warnings if "does not promise the same masks twice" in warning]
        await ran(pool, bench, model, "cuda:0")
        return
    with pytest.raises(errors.ModelFailure, match="onnxruntime-gpu"):
        await ran(pool, bench, model, "cuda")


@pytest.mark.skipif(not Path(SEGINT).exists(), reason="SegInt is not installed as a command here")
@pytest.mark.parametrize("name", [*TORCH_FAMILY, *ON_TORCH])
async def test_a_job_of_velocity_runs_on_the_gpu(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    model, server = built(name), request.getfixturevalue("server")
    version = install(server, tmp_path, model, f"On the GPU by {name}")
    for stored_in_lps in (True, False):
        image_kji, geometry = real_models.a_scan(stored_in_lps=stored_in_lps)
        body = scan(channel(image_kji, "1", geometry.to_transform()))
        output = Velocity(server.url).segment(body, version)
        masks = np.stack([mask_kji(made) for made in output.Channels])
        assert np.mean(masks != model.bare(image_kji, geometry)) <= SHARE_MAX
