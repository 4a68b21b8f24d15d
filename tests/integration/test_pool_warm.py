"""Which models stay loaded, for how long, and what makes one load anew."""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import pytest_asyncio
import torch

from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import ModelTask
from tests.fakes.nvidia_smi import NvidiaSmi
from tests.fakes.worker_bench import GIB, THRESHOLD, Bench, doing, ignore, masks

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHOUT_TORCH = [name for name in fork_server.PRELOAD if "torch" not in name]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@asynccontextmanager
async def phantoms(bench: Bench, **changes: Any) -> AsyncIterator[WorkerPool]:
    """A pool for phantoms: its fork server starts without torch, which takes a second to import."""
    async with WorkerPool(fork_server.start(preload=WITHOUT_TORCH), bench.options(**changes)) as pool:
        yield pool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerPool]:
    options = Bench(tmp_path_factory.mktemp("shared")).options(warm_models_max=20)
    async with WorkerPool(fork_server.start(), options) as pool:
        yield pool


async def run(pool: WorkerPool, bench: Bench, model: ModelTask) -> int:
    """Run `model`; return the pid of the process that did."""
    await pool.run("slot-1", bench.task(model), ignore)
    return pool.loaded()[-1].pid if pool.loaded() else 0


def names(pool: WorkerPool) -> list[str]:
    return [model.version_id for model in pool.loaded()]


async def test_a_warm_model_is_loaded_once_and_the_longest_idle_goes_first(bench: Bench) -> None:
    async with phantoms(bench, warm_models_max=2) as pool:
        models = {name: bench.model(None, name=name) for name in "abc"}
        first = await run(pool, bench, models["a"])
        await run(pool, bench, models["b"])
        assert await run(pool, bench, models["a"]) == first
        assert names(pool) == ["b", "a"]
        await run(pool, bench, models["c"])
        assert names(pool) == ["a", "c"]


async def test_models_go_when_together_they_hold_too_much_memory(shared: WorkerPool, bench: Bench) -> None:
    base = await run(shared, bench, bench.model(THRESHOLD))
    held = next(model.memory_bytes for model in shared.loaded() if model.pid == base)
    assert 0 < held < GIB
    heavy = doing("Net.kept = np.ones(40_000_000, np.uint8)")
    options = bench.options(warm_memory_bytes=2 * held + 60_000_000)
    async with WorkerPool(fork_server.start(), options) as pool:
        for name in ("first", "second"):
            await run(pool, bench, bench.model(heavy, name=name))
        assert names(pool) == ["second"]


async def test_no_model_stays_where_none_may_be_warm(bench: Bench) -> None:
    async with phantoms(bench, warm_models_max=0) as pool:
        await run(pool, bench, bench.model(None))
        assert names(pool) == []


async def test_a_forgotten_version_ends_at_once_or_after_its_job(shared: WorkerPool, bench: Bench) -> None:
    model = bench.model(doing("progress(0.5); time.sleep(0.1)"), name="busy")
    idle = await run(shared, bench, bench.model(None, name="idle"))
    await shared.forget("idle")
    assert not psutil.pid_exists(idle)
    half = asyncio.Event()
    job = asyncio.create_task(shared.run("slot-1", bench.task(model), lambda p, s: half.set()))
    await half.wait()
    await shared.forget("busy")
    await job
    assert not {"busy", "idle"} & set(names(shared))


async def test_an_edited_module_is_seen_at_the_next_job(shared: WorkerPool, bench: Bench) -> None:
    model = bench.model(THRESHOLD)
    assert model.module_file is not None
    before = model.module_file.stat()
    source = model.module_file.read_text()
    for limit in (100, 200, 300):
        model.module_file.write_text(source.replace("image > 100", f"image > {limit}"))
        # The same whole second and the same length: what a .pyc goes by.
        os.utime(model.module_file, ns=(before.st_atime_ns, before.st_mtime_ns + limit))
        task = bench.task(model)
        await shared.run("slot-1", task, ignore)
        assert np.array_equal(masks(task)["1"], bench.image_kji > limit)


async def test_a_new_runtime_or_version_is_another_model(shared: WorkerPool, bench: Bench) -> None:
    pids = {await run(shared, bench, bench.model(None, revision=revision)) for revision in (1, 2)}
    pids.add(await run(shared, bench, bench.model(None, structures=[("1", "1"), ("2", "1")], revision=2)))
    assert len(pids) == 3


async def test_two_models_with_a_class_of_the_same_name_do_not_meet(shared: WorkerPool, bench: Bench) -> None:
    sources = {limit: THRESHOLD.replace("100", str(limit)) for limit in (50, 500)}
    models = {limit: bench.model(source, name=str(limit)) for limit, source in sources.items()}
    for limit in (50, 500, 50):
        task = bench.task(models[limit])
        await shared.run("slot-1", task, ignore)
        assert np.array_equal(masks(task)["1"], bench.image_kji > limit)
    assert [names(shared).count(name) for name in ("50", "500")] == [1, 1]


async def test_two_slots_run_at_the_same_time(shared: WorkerPool, bench: Bench) -> None:
    meeting = doing(f"""
        mine, other = ("a", "b") if image.shape[0] == 6 else ("b", "a")
        open({str(bench.folder)!r} + "/" + mine, "w").close()
        while not os.path.exists({str(bench.folder)!r} + "/" + other): time.sleep(0.005)
    """)
    model = bench.model(meeting, name="meeting")
    tasks = [bench.task(model, bench.channel(bench.image_kji[:depth])) for depth in (6, 5)]
    await asyncio.gather(*(shared.run(f"slot-{n}", task, ignore) for n, task in enumerate(tasks)))
    assert names(shared).count("meeting") == 2


async def test_weights_from_a_state_dict_reach_the_mask(shared: WorkerPool, bench: Bench) -> None:
    source = """
        import torch

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("limit", torch.tensor(0))

            def forward(self, image):
                return image > int(self.limit)
    """
    torch.save({"limit": torch.tensor(321)}, bench.folder / "weights.pt")
    task = bench.task(bench.model(source, model_file=bench.folder / "weights.pt", entry=""))
    await shared.run("slot-1", task, ignore)
    assert np.array_equal(masks(task)["1"], bench.image_kji > 321)


async def test_a_process_that_calls_itself_spent_finishes_its_job_with_a_warning_and_runs_no_other(
    shared: WorkerPool, bench: Bench
) -> None:
    spent = doing(
        "from segint_grpc.backends.remarks import remark; remark('The GPU was full.', spent=not image.any())"
    )
    model = bench.model(spent, name="spent")
    image_kji = np.zeros_like(bench.image_kji)
    result = await shared.run("slot-1", bench.task(model, bench.channel(image_kji)), ignore)
    assert "The GPU was full." in result.warnings
    assert "spent" not in names(shared)
    first = await run(shared, bench, model)
    assert await run(shared, bench, model) == first


async def test_a_model_that_draws_random_numbers_gives_its_masks_again(
    shared: WorkerPool, bench: Bench
) -> None:
    drawn = """
        import random
        noise = np.random.random(image.shape) + torch.rand(image.shape).numpy() + random.random()
        image = 100 + (noise > 1.5)
    """
    model, made = bench.model(doing(drawn), name="drawn"), []
    for _ in range(2):
        task = bench.task(model)
        await shared.run("slot-1", task, ignore)
        made.append(masks(task)["1"])
    assert np.array_equal(*made)
    assert 0.1 < made[0].mean() < 0.9


async def test_each_process_has_the_lowest_number_that_no_other_has(bench: Bench) -> None:
    told = "from segint_grpc.backends import gpus; open({!r}, 'w').write(str(gpus.seat()))"
    files = {name: bench.folder / name for name in ("first", "second", "third")}
    models = {name: bench.model(doing(told.format(str(file))), name=name) for name, file in files.items()}
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        for name, number in (("first", "0"), ("second", "1"), ("first", "0")):
            await run(pool, bench, models[name])
            assert files[name].read_text() == number
        await pool.forget("first")
        await run(pool, bench, models["third"])
        assert files["third"].read_text() == "0"


HOLDS = """
import os
from segint_grpc.backends import gpus
gpus.DEVICE_FILES = "/"
with open({apps!r}, "a") as apps:
    apps.write(f"{{os.getpid()}}, 2048\\n")
"""
"""What a model's module does to look like one that holds 2 GiB of a GPU, as far as nvidia-smi goes."""


async def test_idle_models_on_a_gpu_make_room_for_one_that_declares_what_it_needs(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = NvidiaSmi(tmp_path, monkeypatch)
    smi.free(3 * GIB)
    holds = HOLDS.format(apps=str(smi.apps)) + textwrap.dedent(THRESHOLD)
    async with WorkerPool(fork_server.start(), bench.options(memory_bytes=4 * GIB)) as pool:
        result = await pool.run("slot-1", bench.task(bench.model(holds, name="holds")), ignore)
        assert result.load
        assert result.load.gpu_memory_bytes == 2 * GIB
        await run(pool, bench, bench.model(None, name="elsewhere"))
        await run(pool, bench, bench.model(THRESHOLD, name="fits", gpu_memory_bytes=3 * GIB))
        assert names(pool) == ["holds", "elsewhere", "fits"]
        elsewhere = {"gpu_memory_bytes": 4 * GIB, "parameters": {"device": "cpu"}}
        await run(pool, bench, bench.model(THRESHOLD, name="on the processor", **elsewhere))
        assert names(pool) == ["holds", "elsewhere", "fits", "on the processor"]
        await run(pool, bench, bench.model(THRESHOLD, name="large", gpu_memory_bytes=4 * GIB))
        assert "holds" not in names(pool)
        assert {"elsewhere", "large"} <= set(names(pool))


async def test_libraries_that_are_loaded_later_compute_with_the_slots_share_of_threads(
    shared: WorkerPool, bench: Bench
) -> None:
    asked = """
        from segint_grpc.backends.threads import threads
        assert threads() == torch.get_num_threads() == len(os.sched_getaffinity(0)), threads()
    """
    await run(shared, bench, bench.model(doing(asked), name="threads"))


async def test_threads_sleep_while_they_wait_for_each_other_since_others_want_the_cores(
    shared: WorkerPool, bench: Bench
) -> None:
    asked = 'assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"'
    await run(shared, bench, bench.model(doing(asked), name="waiting"))
