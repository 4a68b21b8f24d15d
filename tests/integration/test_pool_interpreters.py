"""Models in other interpreters than the server's own: real environments, real processes, the same rules."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import pytest_asyncio

from segint_grpc import errors
from segint_grpc.guests.outside import Interpreter
from segint_grpc.worker import fork_server
from segint_grpc.worker.guest_nursery import GuestNursery
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import LoadTask, ModelTask
from tests.fakes.group_environment import ABOVE_100, doing, make_environment, script
from tests.fakes.worker_bench import Bench, family_of, ignore, masks, still_running

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
WITHOUT_TORCH = [name for name in fork_server.PRELOAD if "torch" not in name]
BUSY = doing("""
    subprocess.Popen(["sleep", "600"])
    progress(0.5)
    ctypes.PyDLL(None).sleep(600)
""")


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("environments")
    old = make_environment(folder / "old")
    site = next((folder / "old" / "lib").glob("python3.*")) / "site-packages"
    (site / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 9, 18, 'final', 0)\n")
    found = {
        "group": make_environment(folder / "group"),
        "ours": Path(sys.executable),
        "bare": make_environment(folder / "bare", ()),
        "no_protobuf": make_environment(folder / "no_protobuf", ("numpy",)),
        "old": old,
        "gone": folder / "nowhere" / "python",
        "broken": script(folder / "broken", "echo 'libpython is missing' >&2; exit 127"),
        "hangs": script(folder / "hangs", "exec sleep 600"),
    }
    return {name: str(path) for name, path in found.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(
    tmp_path_factory: pytest.TempPathFactory, pythons: dict[str, str]
) -> AsyncIterator[WorkerPool]:
    options = Bench(tmp_path_factory.mktemp("interpreters")).options(interpreters=pythons)
    async with WorkerPool(fork_server.start(preload=WITHOUT_TORCH), options) as running:
        yield running


def grouped(bench: Bench, source: str = ABOVE_100, interpreter: str = "group") -> ModelTask:
    return bench.model(source, backend="grouped", entry="", interpreter=interpreter)


async def begun(pool: WorkerPool, bench: Bench) -> asyncio.Task[object]:
    half = asyncio.Event()
    run = pool.run("slot-1", bench.task(grouped(bench, BUSY)), lambda stage, share: _tell(half, share))
    job = asyncio.create_task(run)
    waiting = asyncio.create_task(half.wait())
    await asyncio.wait([job, waiting], return_when=asyncio.FIRST_COMPLETED)
    assert not job.done(), job.exception()
    return job


def servers(name: str) -> list[psutil.Process]:
    """The fork servers of the interpreter `name`."""
    below = psutil.Process().children()
    return [process for process in below if process.cmdline()[:1] and f"/{name}/bin/" in process.cmdline()[0]]


def _tell(half: asyncio.Event, share: float) -> None:
    if share == 0.5:
        half.set()


async def test_a_model_runs_on_what_its_environment_alone_has_and_sees_nothing_of_ours(
    pool: WorkerPool, bench: Bench
) -> None:
    task = bench.task(grouped(bench))
    await pool.run("slot-1", task, ignore)
    assert np.array_equal(masks(task)["1"], bench.image_kji > 100)


async def test_the_second_job_finds_the_model_loaded(pool: WorkerPool, bench: Bench) -> None:
    model = grouped(bench)
    loaded, _ = await pool.warm_up(LoadTask("request", model))
    await pool.run("slot-1", bench.task(model), ignore)
    assert [one.pid for one in pool.loaded()].count(loaded.pid) == 1
    assert await pool.forget(loaded.version_id) >= 1


async def test_the_same_model_in_two_interpreters_is_two_processes(pool: WorkerPool, bench: Bench) -> None:
    for interpreter in ("", "ours", "group"):
        await pool.run("slot-1", bench.task(bench.model(None, interpreter=interpreter)), ignore)
    assert len(pool.loaded()) >= 3


async def test_a_pytorch_model_runs_in_an_interpreter_that_has_torch(pool: WorkerPool, bench: Bench) -> None:
    task = bench.task(bench.model(interpreter="ours"))
    await pool.run("slot-1", task, ignore)
    assert np.array_equal(masks(task)["1"], bench.image_kji > 100)


async def test_what_a_model_prints_is_in_the_models_log(pool: WorkerPool, bench: Bench) -> None:
    model = grouped(bench, doing("print('from the group', flush=True)"))
    await pool.run("slot-1", bench.task(model), ignore)
    assert "from the group" in pool.options.log.read_text()


async def test_a_missing_library_is_told_with_the_line_that_installs_it_there(
    pool: WorkerPool, bench: Bench, pythons: dict[str, str]
) -> None:
    line = f"`{pythons['group']} -m pip install 'safetensors>=0.6' 'scipy>=1.14' 'torch>=2.6'` mends it"
    with pytest.raises(errors.ModelFailure) as caught:
        await pool.run("slot-1", bench.task(bench.model(interpreter="group")), ignore)
    assert "interpreter group (torch is not installed)" in caught.value.message
    assert line in caught.value.message


async def test_what_a_module_imports_in_vain_is_told_with_its_interpreter(
    pool: WorkerPool, bench: Bench, pythons: dict[str, str]
) -> None:
    with pytest.raises(errors.ModelFailure) as caught:
        await pool.run("slot-1", bench.task(grouped(bench, "import torch\n")), ignore)
    assert "No module named 'torch'" in caught.value.message
    assert "the interpreter group" in caught.value.message
    assert f"`{pythons['group']} -m pip install" in caught.value.message


async def test_a_back_end_that_is_not_there_is_told_with_those_that_are(
    pool: WorkerPool, bench: Bench
) -> None:
    with pytest.raises(errors.ModelFailure, match=r"no back end 'grouped' in the interpreter ours; .*onnx"):
        await pool.run("slot-1", bench.task(grouped(bench, interpreter="ours")), ignore)


BROKEN = {
    "bare": r"numpy>=1\.26 and protobuf>=6\.31\.1,<8 must be there .*`.*/bare/bin/python -m pip install ",
    "no_protobuf": r"protobuf>=6\.31\.1,<8 must be there .*No module named 'google'.*-m pip install ",
    "old": r"it is Python 3\.9, and 3\.11 or newer is needed",
    "gone": "No such file or directory",
    "broken": "libpython is missing",
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_environment_fails_its_own_jobs_alone_and_says_why(
    pool: WorkerPool, bench: Bench, name: str
) -> None:
    await pool.wait_ready()
    for _ in range(2):
        with pytest.raises(
            errors.ModelFailure, match=rf"The interpreter {name} \(.*\) cannot.*{BROKEN[name]}"
        ):
            await pool.run("slot-1", bench.task(grouped(bench, interpreter=name)), ignore)
    assert pool.ready()
    await pool.run("slot-1", bench.task(bench.model(None)), ignore)
    await pool.run("slot-1", bench.task(grouped(bench)), ignore)


async def test_an_interpreter_that_never_begins_is_given_up(bench: Bench, pythons: dict[str, str]) -> None:
    interpreter = Interpreter("hangs", pythons["hangs"])
    limits = {"memory_bytes": 1, "log_max_bytes": 1, "threads": 1}
    start = partial(fork_server.start_guest, interpreter)
    nursery = GuestNursery(interpreter, start, bench.folder / "log", limits, patience_s=0.1)
    process = await nursery.fork()
    with pytest.raises(errors.ModelFailure, match="did not begin within"):
        await process.run(bench.task(grouped(bench)), ignore)
    await nursery.close()


async def test_an_interpreter_that_no_setting_names_any_more_fails_the_job(
    pool: WorkerPool, bench: Bench
) -> None:
    with pytest.raises(errors.ModelFailure, match="no interpreter 'lost' here; there is bare, broken"):
        await pool.run("slot-1", bench.task(grouped(bench, interpreter="lost")), ignore)


async def test_a_cancelled_run_ends_with_everything_that_it_started(pool: WorkerPool, bench: Bench) -> None:
    before = family_of(os.getpid())
    job = await begun(pool, bench)
    started = [process for process in family_of(os.getpid()) if process not in before]
    assert len(started) >= 2
    job.cancel()
    await asyncio.wait([job])
    assert not still_running(started)


async def test_memory_is_limited_as_in_our_own_environment(pool: WorkerPool, bench: Bench) -> None:
    model = grouped(bench, doing("np.ones(1 << 28)"))
    with pytest.raises(errors.OutOfMemory):
        await pool.run("slot-1", bench.task(model), ignore)


async def test_a_killed_fork_server_cuts_its_runs_short_and_the_next_run_starts_another(
    pool: WorkerPool, bench: Bench
) -> None:
    job = await begun(pool, bench)
    (server,) = servers("group")
    below = family_of(server.pid)
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(errors.RunCutShort):
        await job
    assert not still_running(below)
    assert pool.ready()
    await pool.run("slot-1", bench.task(grouped(bench)), ignore)


async def test_what_was_installed_since_is_seen_by_the_next_job_and_disturbs_no_other(
    pool: WorkerPool, bench: Bench, pythons: dict[str, str]
) -> None:
    await pool.run("slot-1", bench.task(grouped(bench)), ignore)
    job = await begun(pool, bench)
    before = servers("group")
    site = next(Path(pythons["group"]).parents[1].glob("lib/python3.*/site-packages"))
    (site / "newlib.py").write_text("VALUE = 100\n")
    source = "import newlib\n\ndef predict(image, progress):\n    return image > newlib.VALUE\n"
    task = bench.task(grouped(bench, source))
    await pool.run("slot-2", task, ignore)
    assert np.array_equal(masks(task)["1"], bench.image_kji > 100)
    assert not job.done()
    assert len(servers("group")) == 2
    job.cancel()
    await asyncio.wait([job])
    for loaded in pool.loaded():
        await pool.forget(loaded.version_id)
    assert not still_running(before)


async def test_a_check_beside_the_slots_runs_there_too(pool: WorkerPool, bench: Bench) -> None:
    task = bench.task(grouped(bench))
    async with pool.separate() as process:
        await process.run(task, ignore)
    assert np.array_equal(masks(task)["1"], bench.image_kji > 100)


async def test_leaving_the_pool_ends_every_process_of_every_interpreter(
    bench: Bench, pythons: dict[str, str]
) -> None:
    descriptors, before = len(os.listdir("/proc/self/fd")), family_of(os.getpid())
    options = bench.options(interpreters=pythons)
    async with WorkerPool(fork_server.start(preload=WITHOUT_TORCH), options) as pool:
        job = await begun(pool, bench)
    with pytest.raises(errors.RunCutShort, match="stopping"):
        await job
    assert family_of(os.getpid()) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


async def test_sigkill_of_the_owner_ends_the_processes_of_an_interpreter_too(
    tmp_path: Path, pythons: dict[str, str]
) -> None:
    await asyncio.to_thread(_kill_an_owner, tmp_path, pythons["group"])


async def test_sigkill_of_a_server_ends_an_interpreter_that_hangs_at_its_start(
    pythons: dict[str, str],
) -> None:
    await asyncio.to_thread(_kill_one_that_waits_for, pythons["hangs"])


def _kill_one_that_waits_for(python: str) -> None:
    program = (
        f"from segint_grpc.guests.outside import Interpreter; Interpreter('hangs', {python!r}).versions()"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) as owner:
        while not (below := family_of(owner.pid)) or below[0].name() != "sleep":
            time.sleep(0.01)
        owner.kill()
        assert not still_running(below)


def _kill_an_owner(folder: Path, python: str) -> None:
    command = [sys.executable, "-m", "tests.fakes.pool_owner", str(folder), python]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        while owner.stdout.readline().strip() != "busy":
            pass
        everybody = family_of(owner.pid)
        assert len(everybody) >= 5
        owner.kill()
        assert not still_running(everybody)
