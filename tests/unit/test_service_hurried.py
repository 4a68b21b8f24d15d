"""A job that cannot end in time as usual runs in the hurried setting of its version, and says so."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.domain.timeline import EventKind
from segint_grpc.service import outlook
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import SHAPE_KJI, CoreBench, core_bench, eventually, scan
from tests.fakes.past_runs import add_runs

pytestmark = pytest.mark.asyncio(loop_scope="module")

VOXELS = math.prod(SHAPE_KJI)
USUAL = [(VOXELS, 100.0)] * 8
"""Hurried that is an eighth of 100 s."""

USUAL_TILES, HURRIED_TILES = 3 * 4, 2 * 3
HURRIED = ScanHandling.Hurried(overlap=0.0)


async def windowed(
    core: CoreBench, hurried: ScanHandling.Hurried | None = HURRIED, body: str = "pass"
) -> str:
    """A model of windows, each of which leaves a byte in the file `tiles`, with a past."""
    tiles = f"with open({str(core.folder / 'tiles')!r}, 'a') as tiles: tiles.write('.')"
    name = await core.model("Windowed", f"{tiles}\n{body}")
    _, version = core.store.models.version(name)
    assert version.runtime
    inference = ScanHandling.Inference(
        mode=ScanHandling.MODE_SLIDING_WINDOW, window=[8, 8, 6], overlap=0.5, hurried=hurried
    )
    output = ScanHandling.Output(returns=ScanHandling.RETURNS_PROBABILITIES)
    handling = ScanHandling(inference=inference, output=output).SerializeToString()
    module = version.runtime.module_file
    record = RuntimeRecord("pytorch", module_file=module, entry="Net", handling=handling)
    await core.services.models.versions.set_runtime(name, record)
    await core.services.models.versions.activate(name, force=True)
    add_runs(core.store, name, USUAL)
    return name


def tiles_of(core: CoreBench) -> int:
    return (core.folder / "tiles").stat().st_size


def warnings_of(core: CoreBench, job: Job) -> list[str]:
    events = core.store.jobs.events(job.id)
    return [event.text for event in events if event.kind == EventKind.WARNING]


async def test_a_scan_that_takes_too_long_as_usual_is_run_with_less_and_told_so(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, job_deadline_s=60) as core:
        model = await windowed(core)
        job = await core.ended((await core.submit(scan(), model)).id)
        assert job.state is JobState.SUCCEEDED
        assert job.infer_share == pytest.approx(1 / 8)
        assert tiles_of(core) == HURRIED_TILES
        told = warnings_of(core, job)[0]
        assert told == job.warnings[0]
        assert "runs in the hurried setting of 'Windowed', with windows that overlap by 0 instead of" in told
        assert "expected to take 15 s instead of the usual 2 min, from its last 8 runs" in told
        assert "a job has 60 s from its posting (setting job_deadline_s)" in told


async def test_what_was_hurried_does_not_make_the_usual_look_shorter(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, job_deadline_s=60) as core:
        model = await windowed(core)
        await core.ended((await core.submit(scan(1), model)).id)
        again = await core.submit(scan(2), model)
        assert again.hurried
        assert len(core.store.statistics.run_times(model)) == len(USUAL)
        assert len(core.store.statistics.volumes_ml(model)) == 1
        await core.ended(again.id)


async def test_a_scan_that_ends_in_time_gives_nothing_up(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path) as core:
        job = await core.ended((await core.submit(scan(), await windowed(core))).id)
        assert job.state is JobState.SUCCEEDED
        assert not job.hurried
        assert tiles_of(core) == USUAL_TILES
        assert "hurried" not in " ".join(job.warnings)


async def test_without_a_hurried_setting_it_is_refused(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0, job_deadline_s=60) as core:
        model = await windowed(core, hurried=None)
        with pytest.raises(errors.TakesTooLong, match="expected to take 2 min, from its last 8 runs"):
            await core.submit(scan(), model)
        assert core.files() == []


async def test_it_is_refused_where_less_is_not_enough(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0, job_deadline_s=10) as core:
        model = await windowed(core)
        with pytest.raises(errors.TakesTooLong, match=r"take 2 min \(15 s in its hurried setting\), from"):
            await core.submit(scan(), model)
        assert core.files() == []


async def test_a_queue_that_leaves_too_little_time_hurries_what_comes_then_refuses_it(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlook, "FORECAST_S", 0)
    async with core_bench(pool, tmp_path, job_deadline_s=120) as core:
        model = await windowed(core, body=core.gate().wait.replace("progress(0.5)", "pass"))
        first = await core.submit(scan(1), model)
        await eventually(lambda: core.services.dispatcher.busy == 1)
        second = await core.submit(scan(2), model)
        assert (first.hurried, second.hurried) == (False, True)
        assert "after 2 min for the segmentations before it" in second.warnings[0]
        waiting = await core.services.jobs.get(second.id)
        assert waiting.remaining
        assert waiting.remaining.expected_s == pytest.approx(112.5, abs=4)
        with pytest.raises(errors.QueueTooLong, match="are expected to take 2 min and this one 15 s, from"):
            await core.submit(scan(3), model)
        core.gate().open()
