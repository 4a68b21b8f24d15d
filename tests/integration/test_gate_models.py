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
    assert step.finding.startswith(f"The model mirrors its masks {axes}: ")
