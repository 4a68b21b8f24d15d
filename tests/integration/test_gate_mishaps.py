"""The gate and models that crash, hang, eat memory or return nonsense: it says so, and the server lives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from generated.segint.v1.models_pb2 import CheckStep
from segint_grpc.service.gate import Gate
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import SEPARATE_NICE, WorkerPool
from tests.fakes.gate_stand import GateStand
from tests.fakes.worker_bench import THRESHOLD, Bench, doing, ignore, still_running
from tests.families import a_family, a_structure, a_version

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANGING = doing("ctypes.PyDLL(None).sleep(600)")


class Stand(GateStand):
    """A gate, and a bench for jobs in the same pool."""

    bench: Bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    folder = tmp_path_factory.mktemp("gate")
    bench = Bench(folder)
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        await pool.wait_ready()
        async with Stand.open(folder, pool) as stand:
            stand.bench = bench
            yield stand


ESSENTIAL = [
    ("os.abort()", "died of SIGABRT"),
    ("os._exit(3)", "exit code 3"),
    ("raise ValueError('no such organ')", "raised ValueError in net"),
    ("np.ones(10**13)", "ran out of memory"),
    ("return image[1:] > 0", "The mask of Liver has the shape (63, 64, 64)"),
    ("return image", "other values than 0 and 1"),
    ("return None", "nothing (None)"),
    ("while True: keep = [bytearray(2**28) for _ in range(99)]", "ran out of memory"),
]


@pytest.mark.parametrize(("body", "words"), ESSENTIAL)
async def test_what_a_model_does_wrong_fails_its_check_with_the_reason(
    stand: Stand, body: str, words: str
) -> None:
    report = await stand.check(doing(body))
    assert [step.outcome for step in report.steps] == [CheckStep.OUTCOME_FAILED]
    assert words in report.steps[0].finding
    assert report.steps[0].finding.endswith("The steps after it were left out.")
    assert not report.passed


async def test_a_model_that_hangs_fails_at_its_deadline(stand: Stand) -> None:
    steps, report = await stand.steps(stand.model(HANGING), stand.hasty_gate(1.0))
    assert "did not finish within 1 s (setting check_step_s)" in report.steps[0].finding
    assert len(report.steps) == 1
    assert [step.outcome for step in steps] == [CheckStep.OUTCOME_RUNNING, CheckStep.OUTCOME_FAILED]


async def test_a_crash_on_one_size_fails_that_step_and_the_others_are_run(stand: Stand) -> None:
    report = await stand.check(doing("assert image.shape[0] % 2 == 0, 'odd'"))
    failed = [step.name for step in report.steps if step.outcome == CheckStep.OUTCOME_FAILED]
    assert failed == ["phantom of odd sizes", "phantom of three slices"]
    assert report.steps[-1].name == "where its masks land"


async def test_masks_that_depend_on_the_scan_before_are_noticed(stand: Stand) -> None:
    source = """
        class Net:
            seen = 0

            def __call__(self, image):
                self.seen += 1
                return image > (150 if self.seen == 1 else 600)
    """
    report = await stand.check(source)
    again = next(step for step in report.steps if step.name == "phantom again")
    assert again.outcome == CheckStep.OUTCOME_WARNING
    assert "gets other masks, with other scans between" in again.finding


async def test_each_step_tells_its_time_and_peak_memory(stand: Stand) -> None:
    steps, report = await stand.steps(stand.model(THRESHOLD))
    assert [step.number for step in report.steps] == list(range(1, report.steps[0].total + 1))
    assert len(steps) == 2 * len(report.steps)
    for step in report.steps[:-1]:
        assert step.seconds > 0
        assert step.peak_memory_bytes > 10_000_000
    assert report.runtime_revision == 7
    assert report.checked_at.seconds > 0


async def test_two_channels_are_given_where_the_family_declares_them(stand: Stand) -> None:
    source = """
        class Net:
            def __call__(self, ct, pet, geometry):
                assert geometry[1].shape_kji == pet.shape
                return {"1": (ct > 150), "2": pet > 1000}
    """
    structures = [a_structure("1", "ct", "Bone"), a_structure("2", "pet", "Tumour")]
    family = a_family(versions=[a_version("Two 1", structures)], channels=["ct", "pet"])
    family.FamilyDescription.InputChannels[1].Constraints.AcceptedModalities.append(6)
    report = await stand.check(source, family)
    assert report.passed
    assert "Tumour" in report.steps[0].finding
    unlike = next(step for step in report.steps if step.name == "channels on unlike grids")
    assert unlike.outcome == CheckStep.OUTCOME_PASSED


async def test_a_model_that_wants_its_channels_on_one_grid_gets_a_warning(stand: Stand) -> None:
    source = """
        class Net:
            def __call__(self, ct, pet):
                return (ct > 150) & (pet > 150)
    """
    report = await stand.check(source, a_family(channels=["ct", "pet"]))
    unlike = next(step for step in report.steps if step.name == "channels on unlike grids")
    assert unlike.outcome == CheckStep.OUTCOME_WARNING
    assert report.passed


async def test_jobs_run_while_a_check_goes_on(stand: Stand) -> None:
    async with aclosing(Gate(stand.context, stand.pool).check(stand.model(HANGING))) as responses:
        assert (await anext(responses)).step.outcome == CheckStep.OUTCOME_RUNNING
        step = asyncio.ensure_future(anext(responses))
        task = stand.bench.task(stand.bench.model(THRESHOLD))
        result = await stand.pool.run("slot-1", task, ignore)
        assert result.size_bytes
        assert not step.done()
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
    assert stand.left_files() == []


async def test_a_check_that_nobody_waits_for_ends_its_process_and_its_files(
    stand: Stand, tmp_path: Path
) -> None:
    os.mkfifo(tell := tmp_path / "tell")
    source = doing(f"open({str(tell)!r}, 'w').write(f'{{os.getpid()}} {{os.nice(0)}}'); time.sleep(600)")
    checking = asyncio.ensure_future(stand.check(source))
    pid, nice = map(int, (await asyncio.to_thread(tell.read_text)).split())
    process = psutil.Process(pid)
    assert nice == SEPARATE_NICE
    checking.cancel()
    await asyncio.gather(checking, return_exceptions=True)
    assert not still_running([process])
    assert stand.left_files() == []


async def test_one_check_runs_at_a_time(stand: Stand) -> None:
    gate = Gate(stand.context, stand.pool)
    async with aclosing(gate.check(stand.model(THRESHOLD))) as first:
        await anext(first)
        second = asyncio.ensure_future(stand.steps(stand.model(THRESHOLD), gate))
        async for response in first:
            assert not second.done()
            last = response
    assert last.HasField("report")
    assert (await second)[1].passed
