"""The gate with a scan of the author's: by it are trained models judged, which find nothing in phantoms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from generated.radiomics.Model_pb2 import ModelFamily
from generated.segint.v1.models_pb2 import CheckReport, CheckStep
from segint_grpc.domain.geometry import Geometry
from segint_grpc.worker import fork_server
from segint_grpc.worker.pool import WorkerPool
from tests.fakes.gate_stand import GateStand
from tests.fakes.worker_bench import Bench
from tests.families import a_family, a_structure, a_version

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]

LUNGS = a_family(
    "Lungs", [a_version("Lungs 1", [a_structure("l", name="Lung_L"), a_structure("r", name="Lung_R")])]
)
TRAINED = 12345
"""The only value that the models of these tests know, so that they find nothing in phantoms."""


def lungs(left: str, right: str, turned: str = "mask") -> str:
    """A model of planes: of what it finds, it takes the columns `left` and `right` for the two lungs."""
    return f"""
        import numpy as np

        class Net:
            def __call__(self, image):
                masks = {{}}
                for name, columns in (("l", slice({left})), ("r", slice({right}))):
                    mask = image == {TRAINED}
                    keep = np.zeros_like(mask)
                    keep[:, :, columns] = True
                    mask = mask & keep
                    masks[name] = {turned}
                return masks
    """


RIGHT_ORDER = lungs("20, None", "None, 20")
"""Columns grow towards the patient's left in the scan: the left lung has the higher ones."""

BY_GEOMETRY = f"""
    import numpy as np

    class Net:
        def __call__(self, image, geometry):
            axes = np.array([geometry.z_axis, geometry.y_axis, geometry.x_axis])
            column = int(np.argmax(np.abs(axes[:, 0])))
            moved = np.moveaxis(image, column, 2)
            x = geometry.origin_xyz_mm[0] + axes[column, 0] * geometry.spacing_xyz_mm[2 - column] * np.arange(
                moved.shape[2]
            )
            found = moved == {TRAINED}
            masks = {{"l": found & (x > 20), "r": found & (x <= 20)}}
            return {{name: np.moveaxis(mask, 2, column) for name, mask in masks.items()}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GateStand]:
    folder = tmp_path_factory.mktemp("gate")
    async with WorkerPool(fork_server.start(), Bench(folder).options()) as pool:
        await pool.wait_ready()
        async with GateStand.open(folder, pool) as stand:
            yield stand


@pytest.fixture(scope="module")
def scan(stand: GateStand) -> Path:
    """Two lungs in a scan of 40 columns from x = 0 to 39 mm, the left one smaller and higher."""
    image_kji = np.full((24, 30, 40), -1000, np.int16)
    image_kji[4:14, 8:24, 6:18] = TRAINED
    image_kji[10:18, 10:20, 24:33] = TRAINED
    geometry = Geometry((24, 30, 40), (1.0, 1.2, 3.0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, -20.0, -400.0))
    return stand.scan(image_kji, geometry)


def step(report: CheckReport, name: str) -> CheckStep:
    return next(step for step in report.steps if step.name == name)


def failed(report: CheckReport) -> list[str]:
    return [step.name for step in report.steps if step.outcome == CheckStep.OUTCOME_FAILED]


def axial(family: ModelFamily) -> ModelFamily:
    copy = ModelFamily()
    copy.CopyFrom(family)
    copy.FamilyDescription.InputChannels[0].Constraints.IsAxial = True
    return copy


async def test_a_model_that_knows_where_left_is_passes_in_every_orientation(
    stand: GateStand, scan: Path
) -> None:
    report = await stand.check(BY_GEOMETRY, LUNGS, scan)
    assert report.passed, report
    assert step(report, "phantom").outcome == CheckStep.OUTCOME_WARNING
    assert step(report, "scan").finding.startswith("It finds Lung_L (")
    assert step(report, "where its masks land").outcome == CheckStep.OUTCOME_PASSED


async def test_left_and_right_exchanged_fail_however_the_masks_agree(stand: GateStand, scan: Path) -> None:
    report = await stand.check(lungs("None, 20", "20, None"), LUNGS, scan)
    assert "Lung_L lies further to the patient's right than Lung_R" in step(report, "scan").finding
    assert "left–right" in step(report, "scan").finding
    assert not report.passed


async def test_a_model_of_arrays_that_exchanges_sides_of_a_patient_who_lies_feet_first_fails(
    stand: GateStand, scan: Path
) -> None:
    report = await stand.check(RIGHT_ORDER, axial(LUNGS), scan)
    assert failed(report) == ["scan, feet first", "scan, prone"]
    assert "has to take `geometry`" in step(report, "scan, feet first").finding
    assert step(report, "scan, slices in reverse").outcome == CheckStep.OUTCOME_PASSED


async def test_turning_the_scan_as_the_documentation_says_makes_that_model_right(
    stand: GateStand, scan: Path
) -> None:
    block = (ROOT / "docs" / "checks.md").read_text().split("```python\n")[1].split("```")[0]
    trained = f"""
def predict(self, image):
    columns = np.arange(image.shape[2])
    return [(image == {TRAINED}) & (columns >= 20), (image == {TRAINED}) & (columns < 20)]

Net.predict = predict
"""
    report = await stand.check("import numpy as np\nimport torch\n" + block + trained, axial(LUNGS), scan)
    assert failed(report) == []
    assert step(report, "scan, feet first").outcome == CheckStep.OUTCOME_PASSED


async def test_a_trained_model_that_mirrors_fails_in_another_field_of_view(
    stand: GateStand, scan: Path
) -> None:
    source = f"""
        class Net:
            def __call__(self, image):
                return (image == {TRAINED})[::-1]
    """
    report = await stand.check(source, scan=scan)
    moved = step(report, "scan, another field of view")
    assert "masks are mirrored head–feet" in moved.finding
    assert not report.passed


async def test_a_scan_of_other_channels_fails_with_both_names(stand: GateStand, scan: Path) -> None:
    family = a_family(channels=["ct", "pet"])
    source = """
        class Net:
            def __call__(self, ct, pet):
                return ct > 150
    """
    report = await stand.check(source, family, scan)
    assert '"ct"' in step(report, "scan").finding
    assert '"pet"' in step(report, "scan").finding
    assert report.steps[-1].name == "scan"
    assert not report.passed


async def test_families_that_are_axial_are_tried_with_axial_slices_alone(
    stand: GateStand, scan: Path
) -> None:
    names = {step.name for step in (await stand.check(BY_GEOMETRY, axial(LUNGS), scan)).steps}
    assert not {"scan, sagittal slices", "phantom, coronal slices"} & names
    assert "scan, feet first" in names


async def test_what_is_found_in_no_scan_is_named(stand: GateStand, scan: Path) -> None:
    source = f"""
        class Net:
            def __call__(self, image):
                return {{"l": image == {TRAINED}, "r": image == -32768}}
    """
    report = await stand.check(source, LUNGS, scan)
    assert step(report, "scan").finding == "It does not find Lung_R in the author's scan."
    assert "Nothing shows where Lung_R would land" in report.steps[-1].finding
    assert report.passed


async def test_a_check_leaves_no_file(stand: GateStand, scan: Path) -> None:
    await stand.check(RIGHT_ORDER, LUNGS, scan)
    assert stand.left_files() == []
