"""The gate on versions whose manifest declares an orientation: no axis order may matter."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from generated.segint.v1.handling_pb2 import ScanHandling
from generated.segint.v1.models_pb2 import CheckReport, CheckStep
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.gate_stand import GateStand
from tests.fakes.worker_bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

NET = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.smooth = torch.nn.Conv3d(1, 8, 3, padding=1, bias=False)
            self.sum = torch.nn.Conv3d(8, 1, 1, bias=False)
            for layer in (self.smooth, self.sum):
                torch.nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())

        def forward(self, x):
            return self.sum(self.smooth(x)) - 150
"""
ONE_SIDED = """
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            # Only what lies on the patient's left, which is where columns grow to.
            x[..., : x.shape[-1] // 2] = -1000
            return x - 150
"""
STEP = "phantom in all 48 axis orders"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GateStand]:
    folder = tmp_path_factory.mktemp("gate")
    async with WorkerPool(fork_server.start(), Bench(folder).options()) as pool:
        await pool.wait_ready()
        async with GateStand.open(folder, pool) as stand:
            yield stand


def handled(**declared: Any) -> ScanHandling:
    return ScanHandling(
        input=ScanHandling.Input(**declared),
        inference=ScanHandling.Inference(mode="MODE_WHOLE"),
        output=ScanHandling.Output(returns="RETURNS_LOGITS"),
    )


async def check(stand: GateStand, source: str, handling: ScanHandling) -> CheckReport:
    model = stand.model(source)
    runtime = replace(model.runtime, handling=handling.SerializeToString())
    return (await stand.steps(replace(model, runtime=runtime)))[1]


def outcome(report: CheckReport, name: str) -> tuple[str, str]:
    step = next(step for step in report.steps if step.name == name)
    return CheckStep.Outcome.Name(step.outcome)[len("OUTCOME_") :], step.finding


async def test_a_small_network_passes_all_48_axis_orders_in_under_30_seconds(stand: GateStand) -> None:
    began = time.monotonic()
    report = await check(stand, NET, handled(orientation="LPS", spacing_mm=[6, 6, 6]))
    assert time.monotonic() - began < 30
    assert report.passed, report
    assert outcome(report, STEP) == ("PASSED", "Its masks lie at the same millimetres in all 48 axis orders.")


async def test_a_model_of_one_side_is_right_once_its_manifest_turns_the_scan(stand: GateStand) -> None:
    report = await check(stand, ONE_SIDED, handled(orientation="LPS"))
    assert outcome(report, STEP)[0] == "PASSED"
    assert outcome(report, "phantom, feet first")[0] == "PASSED"
    without = await check(stand, ONE_SIDED, handled(spacing_mm=[4, 4, 4]))
    assert STEP not in [step.name for step in without.steps]
    assert outcome(without, "phantom, feet first")[0] == "WARNING"


async def test_a_model_that_finds_nothing_in_the_phantom_is_not_run_48_times(stand: GateStand) -> None:
    report = await check(stand, NET.replace("150", "99999"), handled(orientation="LPS", spacing_mm=[6, 6, 6]))
    assert outcome(report, STEP) == (
        "PASSED",
        "It finds nothing in the phantom, so no axis order shows anything.",
    )


async def test_a_model_that_mirrors_its_masks_is_not_saved_by_a_manifest(stand: GateStand) -> None:
    mirrored = NET.replace("self.sum(self.smooth(x)) - 150", "(self.sum(self.smooth(x)) - 150).flip(-1)")
    report = await check(stand, mirrored, handled(orientation="LPS", spacing_mm=[6, 6, 6]))
    assert not report.passed
    assert "mirrored left–right" in outcome(report, "phantom, another field of view")[1]
