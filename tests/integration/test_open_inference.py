"""Models on another server through a whole core: what the settings allow, and what a job is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.domain.remotes import Origin, RemoteRules
from segint_grpc.home import Home
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.store.store import open_store
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes import mlserver
from tests.fakes.worker_bench import Bench, ignore, masks

ELSEWHERE = Origin("https", "gpu.clinic.example", 8443)
SAMPLE = "Centered Orange Square"


async def test_a_version_is_not_offered_once_its_server_is_allowed_no_more(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    runtime = RuntimeRecord("open_inference", parameters={"url": str(ELSEWHERE), "model": "m"})
    with open_store(home) as store, Hop("test") as hop:
        allowed = Models(store, hop, remotes=RemoteRules(servers=(ELSEWHERE,)))
        await allowed.add_sample_family()
        await allowed.versions.set_runtime(SAMPLE, runtime)
        await allowed.versions.activate(SAMPLE, force=True)
        assert (await allowed.resolve(SAMPLE)).remotes.servers == (ELSEWHERE,)
        refusing = Models(store, hop)
        with pytest.raises(errors.UnknownModel, match="No scan may be sent to https://gpu"):
            await refusing.resolve(SAMPLE)
        assert not (await refusing.offered()).Models
        with pytest.raises(errors.InvalidModel, match="open_inference_servers"):
            await refusing.versions.set_runtime(SAMPLE, runtime)


async def test_a_job_is_told_that_its_server_is_away_and_where_the_next_ran(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    away = {"url": "http://127.0.0.1:9", "model": "two"}
    here = {"url": mlserver.shared().url, "model": "two"}
    structures = (("bright", "1"), ("left", "1"))
    async with WorkerPool(fork_server.start(), bench.options()) as pool:
        model = bench.model(None, backend="open_inference", parameters=away, structures=structures)
        with pytest.raises(errors.ModelFailure, match=r"http://127\.0\.0\.1:9 cannot be reached"):
            await pool.run("s", bench.task(model), ignore)
        model = bench.model(None, backend="open_inference", parameters=here, structures=structures)
        task = bench.task(model)
        result = await pool.run("s", task, ignore)
    assert (masks(task)["bright"] == (bench.image_kji > 100)).all()
    assert any("The model ran on http://127.0.0.1" in warning for warning in result.warnings)
