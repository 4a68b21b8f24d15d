"""The gate, with real processes: models that are right, that confuse axes, and that misbehave."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from generated.segint.v1.models_pb2 import CheckReport, CheckStep
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.gate_stand import GateStand
from tests.fakes.worker_bench import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

THRESHOLD = """
    class Net:
        def __call__(self, image):
            return image > 150
"""


def returning(expression: str) -> str:
    """The module of a model that takes an array only, and returns `expression` of its `mask` above 150."""
    return f"""
        import numpy as np

        class Net:
            def __call__(self, image):
                mask = image > 150
                return {expression}
    """


def by_geometry(body: str) -> str:
    """The module of a model that turns the scan to the axes of LPS, finds, and returns what `body` says.

    At hand: `found` (a mask in those axes), `order` and `back` (how it was turned), `image`, `geometry`.
    """
    return f"""
        import numpy as np

        class Net:
            def __call__(self, image, geometry):
                axes = np.array([geometry.z_axis, geometry.y_axis, geometry.x_axis])
                order = [int(np.argmax(np.abs(axes[:, n]))) for n in (2, 1, 0)]
                back = tuple(n for n, a in enumerate(order) if axes[a][2 - n] < 0)
                found = np.flip(image.transpose(order), back) > 150
                {body}
    """


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GateStand]:
    folder = tmp_path_factory.mktemp("gate")
    async with WorkerPool(fork_server.start(), Bench(folder).options()) as pool:
        await pool.wait_ready()
        async with GateStand.open(folder, pool) as stand:
            yield stand


def outcomes(report: CheckReport) -> dict[str, str]:
    return {step.name: CheckStep.Outcome.Name(step.outcome)[len("OUTCOME_") :] for step in report.steps}


def failures(report: CheckReport) -> str:
    return " ".join(step.finding for step in report.steps if step.outcome == CheckStep.OUTCOME_FAILED)


async def test_a_threshold_passes_every_step(stand: GateStand) -> None:
    report = await stand.check(THRESHOLD)
    assert set(outcomes(report).values()) == {"PASSED"}, report
    assert report.passed


MIRRORS = [
    ("mask[:, :, ::-1]", "left–right"),
    ("mask[:, ::-1]", "front–back"),
    ("mask[::-1]", "head–feet"),
    ("mask[:, ::-1, ::-1]", "left–right and front–back"),
]


@pytest.mark.parametrize(("expression", "axes"), MIRRORS)
async def test_a_mirrored_model_fails_with_a_sentence_that_names_the_axis(
    stand: GateStand, expression: str, axes: str
) -> None:
    report = await stand.check(returning(expression))
    assert not report.passed
    step = next(step for step in report.steps if step.name == "phantom, another field of view")
    assert f"The model's masks are mirrored {axes}: " in step.finding


async def test_a_model_that_exchanges_axes_fails_with_their_names(stand: GateStand) -> None:
    report = await stand.check(returning("mask.transpose(0, 2, 1)"))
    assert "masks are with left–right and front–back exchanged" in failures(report)
    assert "has the shape" in failures(report)


async def test_a_model_that_turns_by_the_geometry_and_back_passes(stand: GateStand) -> None:
    report = await stand.check(by_geometry("return np.flip(found, back).transpose(np.argsort(order))"))
    assert set(outcomes(report).values()) == {"PASSED"}, report


async def test_a_model_that_does_not_turn_back_fails_with_the_axis(stand: GateStand) -> None:
    report = await stand.check(by_geometry("return found.transpose(np.argsort(order))"))
    finding = {step.name: step.finding for step in report.steps}
    assert "mirrored head–feet" in finding["phantom, slices in reverse"]
    assert "mirrored left–right and head–feet" in finding["phantom, feet first"]
    assert "mirrored left–right and front–back" in finding["phantom, prone"]
    assert not report.passed


async def test_the_sample_phantom_passes_with_a_warning_that_it_ignores_the_scan(stand: GateStand) -> None:
    report = await stand.check(None)
    assert report.passed
    assert "the same whatever the scan shows" in report.steps[1].finding
    assert outcomes(report)["where its masks land"] == "WARNING"


async def test_a_model_that_finds_nothing_fails_until_its_author_adds_a_scan(stand: GateStand) -> None:
    report = await stand.check(returning("image == 12345"))
    assert outcomes(report)["phantom"] == "WARNING"
    assert failures(report).startswith("Nothing shows where its masks land; add a scan")


async def test_air_and_body_are_no_way_around_the_sentinel(stand: GateStand) -> None:
    for expression in ("(image < -900)[:, :, ::-1]", "(image > -500)[:, :, ::-1]"):
        assert "mirrored left–right" in failures(await stand.check(returning(expression)))
