"""What a version's limits and geometry mean for the scans that are posted to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.domain.jobs import JobState
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.core_bench import CoreBench, core_bench, scan

pytestmark = pytest.mark.asyncio(loop_scope="module")
Limits = ScanHandling.Limits


async def handled(core: CoreBench, **tables: Any) -> str:
    """A model of whole volumes with the handling `tables`."""
    name = await core.model("Handled", "progress(1.0)")
    _, version = core.store.models.version(name)
    assert version.runtime
    record = RuntimeRecord(
        "pytorch",
        module_file=version.runtime.module_file,
        entry="Net",
        handling=ScanHandling(**tables).SerializeToString(),
    )
    await core.services.models.versions.set_runtime(name, record)
    await core.services.models.versions.activate(name, force=True)
    return name


async def test_a_job_has_the_deadline_of_its_version_where_that_is_the_shorter(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        name = await handled(core, limits=Limits(deadline_s=77))
        job = await core.submit(scan(), name)
        assert (job.deadline_at - job.submitted_at).total_seconds() == 77


async def test_no_version_gets_more_time_than_the_server_gives(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0, job_deadline_s=50) as core:
        name = await handled(core, limits=Limits(deadline_s=77))
        job = await core.submit(scan(), name)
        assert (job.deadline_at - job.submitted_at).total_seconds() == 50


async def test_a_version_is_held_to_the_memory_that_its_manifest_says(
    pool: WorkerPool, tmp_path: Path
) -> None:
    async with core_bench(pool, tmp_path) as core:
        body = "import numpy\nnumpy.ones(400_000_000, numpy.uint8)\nprogress(1.0)"
        name = await core.model("Hungry", body)
        _, version = core.store.models.version(name)
        assert version.runtime
        assert (await core.ended((await core.submit(scan(), name)).id)).state is JobState.SUCCEEDED
        record = RuntimeRecord(
            "pytorch",
            module_file=version.runtime.module_file,
            entry="Net",
            handling=ScanHandling(limits=Limits(memory_bytes=300_000_000)).SerializeToString(),
        )
        await core.services.models.versions.set_runtime(name, record)
        await core.services.models.versions.activate(name, force=True)
        job = await core.ended((await core.submit(scan(shape_kji=(5, 20, 16)), name)).id)
        assert job.state is JobState.FAILED
        assert "memory" in job.error_text


async def test_a_handling_that_does_not_fit_the_family_is_refused(pool: WorkerPool, tmp_path: Path) -> None:
    async with core_bench(pool, tmp_path, slots=0) as core:
        with pytest.raises(errors.InvalidModel, match=r"input\.channels must name each channel once: ct"):
            await handled(core, input=ScanHandling.Input(channels=["pet"]))
        with pytest.raises(errors.InvalidModel, match=r"input\.orientation cannot be 'LPX'"):
            await handled(core, input=ScanHandling.Input(orientation="LPX"))
