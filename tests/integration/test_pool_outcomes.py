"""How runs end, each way that a model can bring about, in one pool with a real fork server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import numpy as np
import psutil
import pytest
import pytest_asyncio

from segint_grpc import errors
from segint_grpc.domain.jobs import Result, Stage
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import RunTask
from tests.fakes.worker_bench import THRESHOLD, Bench, doing, family_of, ignore, masks, still_running

pytestmark = pytest.mark.asyncio(loop_scope="module")

KILL_S = 0.1
HOLD_THE_GIL = doing("progress(0.5); ctypes.PyDLL(None).sleep(600)")


class Stand:
    """A pool and the bench that makes its tasks."""

    def __init__(self, pool: WorkerPool, bench: Bench, server: fork_server.ForkServer) -> None:
        self.pool, self.bench, self.server = pool, bench, server

    async def run(self, source: str | None, **facts: object) -> Result:
        return await self.pool.run("slot-1", self.bench.task(self.bench.model(source, **facts)), ignore)

    async def begun(self, source: str) -> tuple[asyncio.Task[Result], int]:
        """A run that has reported half of its model's work, and its process's pid."""
        half = asyncio.Event()
        task = self.bench.task(self.bench.model(source))
        run = asyncio.create_task(
            self.pool.run("slot-1", task, lambda stage, share: half.set() if share == 0.5 else None)
        )
        waiting = asyncio.create_task(half.wait())
        await asyncio.wait([run, waiting], return_when=asyncio.FIRST_COMPLETED)
        assert not run.done(), run.exception()
        return run, next(model.pid for model in self.pool.loaded() if model.busy)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    # A server of another test may run beside it.
    others = family_of(os.getpid())
    server = fork_server.start()
    bench = Bench(tmp_path_factory.mktemp("outcomes"))
    async with WorkerPool(server, bench.options()) as pool:
        await pool.wait_ready()
        yield Stand(pool, bench, server)
    assert family_of(os.getpid()) == others


async def test_the_phantom_draws_its_box(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(None))
    result = await stand.pool.run("slot-1", task, ignore)
    mask_kji = masks(task)["1"]
    assert result.size_bytes == task.result.stat().st_size
    assert np.flatnonzero(mask_kji.any(axis=(1, 2))).tolist() == [1, 2]
    assert mask_kji[1].all()


async def test_a_threshold_equals_numpys_own_voxel_for_voxel(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(THRESHOLD))
    result = await stand.pool.run("slot-1", task, ignore)
    assert np.array_equal(masks(task)["1"], stand.bench.image_kji > 100)
    assert result.peak_memory_bytes > 10_000_000


async def test_progress_is_the_models_own_and_never_falls(stand: Stand) -> None:
    said: list[tuple[Stage, float]] = []
    source = doing("for share in (0.25, 0.75, 0.5, float('nan'), 7, 1.0): progress(share)")
    task = stand.bench.task(stand.bench.model(source))
    await stand.pool.run("slot-1", task, lambda stage, share: said.append((stage, share)))
    inferred = [(Stage.INFER, share) for share in (0.0, 0.25, 0.75, 1.0)]
    assert said == [(Stage.LOAD, 0.0), (Stage.PREPARE, 0.0), *inferred, (Stage.ENCODE, 0.0)]


DEATHS = [
    ("ctypes.string_at(0)", "SIGSEGV"),
    ("os.abort()", "SIGABRT"),
    ("os._exit(7)", "exit code 7"),
    ("os._exit(0)", "exit code 0"),
    ("sys.exit(3)", "sys.exit(3)"),
    ("os.closerange(3, 1000); time.sleep(600)", "cut the connection"),
]


@pytest.mark.parametrize(("body", "words"), DEATHS)
async def test_a_model_that_ends_its_process_fails_its_job_with_the_reason(
    stand: Stand, body: str, words: str
) -> None:
    with pytest.raises(errors.WorkerDied, match=words.replace("(", r"\(").replace(")", r"\)")):
        await stand.run(doing(body))


async def test_an_exception_is_told_with_its_class_and_line_but_without_traceback(stand: Stand) -> None:
    with pytest.raises(errors.ModelFailure) as caught:
        await stand.run(doing("raise ValueError('the spacing is odd\\nsecond line')"))
    assert caught.value.message == "The model raised ValueError in net.py:7: the spacing is odd second line"


async def test_an_exception_that_dumps_voxels_is_told_without_them(stand: Stand) -> None:
    with pytest.raises(errors.ModelFailure) as caught:
        await stand.run(doing("raise ValueError(f'bad {image!r}')"))
    assert caught.value.message == "The model raised ValueError in net.py:7."


async def test_the_traceback_is_in_the_models_log_with_the_jobs_ids(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(doing("print('a line of its own'); raise KeyError('lost')")))
    with pytest.raises(errors.ModelFailure):
        await stand.pool.run("slot-1", task, ignore)
    log = (stand.bench.folder / "models.log").read_text()
    assert "a line of its own" in log
    line = next(line for line in log.splitlines() if task.request_id in line)
    assert "Traceback" in line
    assert task.job_id in line


@pytest.mark.parametrize("body", ["torch.zeros(10**10)", "np.ones(10**10)", "bytearray(10**11)"])
async def test_memory_beyond_the_limit_fails_the_job_and_names_the_limit(stand: Stand, body: str) -> None:
    with pytest.raises(errors.OutOfMemory, match="1024 MiB"):
        await stand.run(doing(body))


async def test_a_module_that_runs_out_of_memory_while_loading_says_so(stand: Stand) -> None:
    with pytest.raises(errors.OutOfMemory):
        await stand.run("import numpy\nnumpy.ones(10**10)\nclass Net: pass\n")


async def test_a_model_that_cannot_be_loaded_says_why(stand: Stand) -> None:
    with pytest.raises(
        errors.ModelFailure, match=r"net\.py cannot be imported: ModuleNotFoundError in line 1"
    ):
        await stand.run("import no_such_module_here\n")


async def test_wrong_output_names_both_sides(stand: Stand) -> None:
    with pytest.raises(errors.WrongOutput, match=r"\(3, 20, 16\).*\(6, 20, 16\)"):
        await stand.run(doing("return image[:3] > 0"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_ended_from_outside_cuts_the_run_short(stand: Stand, number: signal.Signals) -> None:
    run, pid = await stand.begun(HOLD_THE_GIL)
    os.kill(pid, number)
    with pytest.raises(errors.RunCutShort, match=number.name):
        await run


async def test_cancelling_kills_within_a_tenth_of_a_second_even_with_the_gil_held(stand: Stand) -> None:
    took = []
    for _ in range(5):
        run, pid = await stand.begun(HOLD_THE_GIL)
        began = time.perf_counter()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        took.append(time.perf_counter() - began)
        assert not psutil.pid_exists(pid)
    print(f"kill: {sorted(round(1000 * s, 1) for s in took)} ms")  # noqa: T201
    assert sorted(took)[2] < KILL_S


async def test_a_deadline_ends_a_model_that_catches_everything(stand: Stand) -> None:
    forever = doing("""
        while True:
            try:
                time.sleep(600)
            except BaseException:
                pass
    """)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await stand.run(forever)
    assert not [model for model in stand.pool.loaded() if model.busy]


async def test_cancelling_at_any_moment_leaves_no_process_and_no_descriptor(stand: Stand) -> None:
    await stand.run(None)
    before = len(os.listdir("/proc/self/fd"))
    kept = len(family_of(stand.server.pid))
    for step in range(40):
        task = stand.bench.task(stand.bench.model(doing("time.sleep(0.01)"), name=f"cancelled {step}"))
        run = asyncio.create_task(stand.pool.run("slot-1", task, ignore))
        await asyncio.wait([run], timeout=0.0005 * step)
        run.cancel()
        await asyncio.wait([run])
        await stand.pool.forget(f"cancelled {step}")
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(family_of(stand.server.pid)) == kept


async def test_what_a_model_started_ends_with_its_process(stand: Stand) -> None:
    before = {process.pid for process in family_of(stand.server.pid)}
    run, _ = await stand.begun(
        doing("""
            subprocess.Popen(["sleep", "600"])
            subprocess.Popen(["sleep", "600"], start_new_session=True)
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
            threading.Thread(target=time.sleep, args=(600,)).start()
            progress(0.5)
            time.sleep(600)
        """)
    )
    started = [process for process in family_of(stand.server.pid) if process.pid not in before]
    assert len(started) >= 4
    run.cancel()
    await asyncio.wait([run])
    assert not still_running(started)


async def test_nothing_leaks_from_one_model_into_another(stand: Stand) -> None:
    litter = doing("""
        os.chdir("/"); os.environ["LITTER"] = "1"; torch.set_default_dtype(torch.float64)
        sys.modules["litter"] = sys; np.ones = None; torch.manual_seed(1); torch.set_num_threads(2)
    """)
    clean = doing(f"""
        found = (os.getcwd(), "LITTER" in os.environ, torch.get_default_dtype(), "litter" in sys.modules,
                 np.ones is None, torch.get_num_threads())
        assert found == ({os.getcwd()!r}, False, torch.float32, False, False, {os.cpu_count()}), str(found)
    """)
    await stand.run(litter, name="litter")
    await stand.run(clean, name="clean")


async def test_a_job_cannot_change_its_voxels_on_disk(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(doing("image[:] = 0")))
    await stand.pool.run("slot-1", task, ignore)
    assert np.array_equal(np.fromfile(task.channels[0].voxels, np.int16), stand.bench.image_kji.ravel())


async def test_a_failed_run_leaves_no_result(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(doing("return None")))
    with pytest.raises(errors.WrongOutput, match=r"nothing \(None\)"):
        await stand.pool.run("slot-1", task, ignore)
    assert not task.result.exists()


async def test_a_result_that_cannot_be_written_is_an_error_of_the_job(stand: Stand) -> None:
    task = stand.bench.task(stand.bench.model(None))
    full = RunTask(**(vars(task) | {"result": stand.bench.folder / "no such folder" / "result"}))
    with pytest.raises(errors.JobFailure):
        await stand.pool.run("slot-1", full, ignore)


async def test_a_report_that_raises_ends_the_run_with_its_error(stand: Stand) -> None:
    def refuse(stage: Stage, share: float) -> None:
        raise errors.StaleLease

    with pytest.raises(errors.StaleLease):
        await stand.pool.run("slot-1", stand.bench.task(stand.bench.model(THRESHOLD)), refuse)


async def test_a_ct_and_a_pet_of_different_size_give_masks_on_their_own_grids(stand: Stand) -> None:
    ct, pet = stand.bench.image_kji, stand.bench.image_kji[:4, :10, :8].astype(np.uint8)
    source = """
        class Net:
            def __call__(self, ct, pet, geometry):
                assert [g.shape_kji for g in geometry] == [ct.shape, pet.shape], geometry
                return {"hot": pet > 100, "bone": ct > 200}
    """
    model = stand.bench.model(source, structures=[("bone", "ct"), ("hot", "pet")], channel_ids=("ct", "pet"))
    task = stand.bench.task(model, stand.bench.channel(ct, "ct"), stand.bench.channel(pet, "pet"))
    await stand.pool.run("slot-1", task, ignore)
    found = masks(task)
    assert np.array_equal(found["bone"], ct > 200)
    assert np.array_equal(found["hot"], pet > 100)
