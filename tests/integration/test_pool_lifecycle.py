"""The pool and its fork server from start to end, the violent ends included."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from segint_grpc import errors
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.worker_bench import Bench, doing, family_of, ignore, still_running

WITHOUT_TORCH = [name for name in fork_server.PRELOAD if "torch" not in name]
ROOT = Path(__file__).parents[2]
HOLD_THE_GIL = doing("subprocess.Popen(['sleep', '600']); progress(0.5); ctypes.PyDLL(None).sleep(600)")


Others = list[psutil.Process]


@pytest.fixture
def others() -> Others:
    """What runs below this process before the test: a server of another test may."""
    return family_of(os.getpid())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def begun(pool: WorkerPool, bench: Bench) -> asyncio.Task[object]:
    half = asyncio.Event()
    task = bench.task(bench.model(HOLD_THE_GIL))
    run = pool.run("slot-1", task, lambda stage, share: half.set() if share == 0.5 else None)
    job = asyncio.create_task(run)
    waiting = asyncio.create_task(half.wait())
    await asyncio.wait([job, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert not job.done(), job.exception()
    return job


async def test_a_pool_is_ready_only_after_a_process_was_started(bench: Bench) -> None:
    async with WorkerPool(fork_server.start(preload=WITHOUT_TORCH), bench.options()) as pool:
        assert not pool.ready()
        await pool.wait_ready()
        assert pool.ready()
    assert not pool.ready()


async def test_the_fork_server_has_one_thread(bench: Bench) -> None:
    server = fork_server.start()
    async with WorkerPool(server, bench.options()) as pool:
        await pool.wait_ready()
        assert psutil.Process(server.pid).num_threads() == 1


async def test_a_killed_fork_server_cuts_runs_short_and_is_replaced(bench: Bench, others: Others) -> None:
    server = fork_server.start()
    async with WorkerPool(server, bench.options()) as pool:
        job = await begun(pool, bench)
        below = family_of(server.pid)
        assert len(below) == 2
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(errors.RunCutShort):
            await job
        assert not pool.ready()
        assert not still_running(below)
        await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        await pool.wait_ready()
    assert family_of(os.getpid()) == others


async def test_a_fork_server_killed_while_it_imports_is_replaced(bench: Bench) -> None:
    server = fork_server.start(preload=WITHOUT_TORCH)
    async with WorkerPool(server, bench.options()) as pool:
        job = asyncio.create_task(pool.run("slot-1", bench.task(bench.model(None)), ignore))
        await asyncio.wait([job], timeout=0.05)
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(errors.RunCutShort):
            await job
        await pool.wait_ready()


async def test_a_run_cancelled_while_the_fork_server_still_imports_ends_at_once(bench: Bench) -> None:
    server = fork_server.start()
    async with WorkerPool(server, bench.options()) as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        assert not server.serving
        await pool.wait_ready()
        await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        assert len(pool.loaded()) == 1


async def test_a_process_that_cannot_begin_cuts_the_run_short(bench: Bench) -> None:
    nowhere = bench.folder / "no such folder" / "models.log"
    options = bench.options(log=nowhere)
    async with WorkerPool(fork_server.start(preload=WITHOUT_TORCH), options) as pool:
        with pytest.raises(errors.RunCutShort, match="could not begin"):
            await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        assert not pool.ready()
        nowhere.parent.mkdir()
        await pool.wait_ready()


async def test_leaving_the_pool_ends_a_run_and_every_process(bench: Bench, others: Others) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        job = await begun(pool, bench)
    with pytest.raises(errors.RunCutShort, match="stopping"):
        await job
    with pytest.raises(errors.RunCutShort, match="stopping"):
        await pool.run("slot-1", bench.task(bench.model(HOLD_THE_GIL)), ignore)
    assert family_of(os.getpid()) == others
    assert len(os.listdir("/proc/self/fd")) == before


async def test_leaving_the_pool_while_the_fork_server_still_imports_takes_no_time(
    bench: Bench, others: Others
) -> None:
    began = time.perf_counter()
    async with WorkerPool(fork_server.start(), bench.options()):
        pass
    assert time.perf_counter() - began < 1
    assert family_of(os.getpid()) == others


async def test_a_terminal_or_service_manager_that_signals_everybody_ends_no_run(bench: Bench) -> None:
    server = fork_server.start(preload=WITHOUT_TORCH)
    async with WorkerPool(server, bench.options()) as pool:
        await pool.wait_ready()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(server.pid, number)
        await pool.run("slot-1", bench.task(bench.model(None)), ignore)


async def test_without_torch_the_phantom_works_and_pytorch_says_what_to_install(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "torch.py").write_text("raise ImportError('no torch on this machine')")
    monkeypatch.syspath_prepend(bench.folder)
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        await pool.wait_ready()
        await pool.run("slot-1", bench.task(bench.model(None)), ignore)
        with pytest.raises(errors.ModelFailure, match=r'pip install "segint\[pytorch\]"'):
            await pool.run("slot-1", bench.task(bench.model()), ignore)


async def test_models_share_out_the_cores_among_the_slots(bench: Bench) -> None:
    async with WorkerPool(fork_server.start(), bench.options(slots=1000)) as pool:
        source = doing("assert torch.get_num_threads() == 1, torch.get_num_threads()")
        await pool.run("slot-1", bench.task(bench.model(source)), ignore)


def test_sigkill_of_the_owner_ends_every_process_and_the_owner_never_loaded_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.pool_owner", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert psutil.pid_exists(int(owner.stdout.readline()))
        assert owner.stdout.readline().split() == ["ready"]
        assert owner.stdout.readline().strip() == "busy"
        everybody = family_of(owner.pid)
        assert len(everybody) == 4
        began = time.perf_counter()
        owner.kill()
        assert not still_running(everybody)
        print(f"all ended after {1000 * (time.perf_counter() - began):.0f} ms")  # noqa: T201


def test_sigkill_of_an_owner_whose_fork_server_still_imports_ends_it_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fakes.pool_owner", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        server = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
        assert not still_running([server])
