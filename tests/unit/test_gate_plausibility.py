"""What is worth a look in a job's masks, and how much memory a scan is expected to need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from generated.radiomics.Model_pb2 import Structure
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.job_statistics import MemoryUse
from segint_grpc.domain.memory_need import MemoryModel
from segint_grpc.domain.plausibility import MaskReview, touched, unusual
from tests.families import a_structure

GRID = Geometry((10, 20, 30), (2.0, 2.5, 5.0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-30.0, 0.0, 0.0))
FEET_FIRST = replace(GRID, x_axis=(-1, 0, 0), z_axis=(0, 0, -1))
MIB = 1024**2


def mask(k: slice, j: slice, i: slice) -> NDArray[np.bool_]:
    mask_kji = np.zeros(GRID.shape_kji, np.bool_)
    mask_kji[k, j, i] = True
    return mask_kji


MIDDLE = mask(slice(3, 5), slice(4, 8), slice(10, 20))
NOTHING = mask(slice(0), slice(0), slice(0))


def review(
    structures: Sequence[Structure], masks: Sequence[NDArray[np.bool_]], geometry: Geometry = GRID
) -> MaskReview:
    looked = MaskReview(structures)
    for index, mask_kji in enumerate(masks):
        looked.look(index, mask_kji, geometry)
    return looked


def test_a_mask_in_the_middle_is_worth_no_look_and_has_its_volume() -> None:
    looked = review([a_structure("1")], [MIDDLE])
    assert looked.warnings() == []
    assert looked.volumes_ml == {"1": 2 * 4 * 10 * 25 / 1000}


def test_empty_masks_are_named_in_one_sentence() -> None:
    structures = [a_structure(str(n), name=f"Rib {n}") for n in range(7)]
    looked = review(structures, [NOTHING] * 7)
    assert looked.warnings() == ["Nothing was found of Rib 0, Rib 1, Rib 2, Rib 3, Rib 4 and 2 more."]
    assert looked.volumes_ml["3"] == 0


@pytest.mark.parametrize(("geometry", "sides"), [(GRID, ["head", "right"]), (FEET_FIRST, ["feet", "left"])])
def test_a_mask_at_the_edge_is_told_with_the_patients_sides(geometry: Geometry, sides: list[str]) -> None:
    at_edge = mask(slice(8, 10), slice(4, 8), slice(0, 3))
    assert touched(at_edge, geometry) == sides
    looked = review([a_structure("1"), a_structure("2", name="Heart")], [at_edge, MIDDLE], geometry)
    assert looked.warnings() == [f"Cut off by the edge of the scan: Liver ({', '.join(sides)})."]


def test_a_body_outline_may_reach_every_edge() -> None:
    outline = a_structure("1", name="External")
    outline.Type = Structure.StructureType.External
    assert review([outline], [np.ones(GRID.shape_kji, np.bool_)]).warnings() == []


def test_a_single_slice_has_no_edge_along_it() -> None:
    flat = replace(GRID, shape_kji=(1, 20, 30))
    assert touched(MIDDLE[3:4], flat) == []


@pytest.mark.parametrize(("geometry", "exchanged"), [(GRID, False), (FEET_FIRST, True)])
def test_left_and_right_are_told_by_millimetres_and_not_by_columns(
    geometry: Geometry, exchanged: bool
) -> None:
    structures = [a_structure("1", name="Lung_L"), a_structure("2", name="Lung_R")]
    higher, lower = mask(slice(3, 5), slice(4, 8), slice(20, 25)), mask(slice(3, 5), slice(4, 8), slice(5, 9))
    warnings = review(structures, [higher, lower], geometry).warnings()
    assert bool(warnings) is exchanged
    assert all("left and right may be exchanged" in warning for warning in warnings)


@pytest.mark.parametrize("spacing", [(0.0, 1.0, 1.0), (math.nan, 1.0, 1.0), (math.inf, 1.0, 1.0)])
def test_a_spacing_that_is_none_gives_no_volume_and_no_warning(spacing: tuple[float, float, float]) -> None:
    looked = review([a_structure("1")], [MIDDLE], replace(GRID, spacing_xyz_mm=spacing))
    assert looked.volumes_ml == {}
    assert looked.warnings() == []


def test_bytes_are_counted_as_booleans_are() -> None:
    assert review([a_structure("1")], [MIDDLE.view(np.uint8)]).volumes_ml == {"1": 2.0}


PAST = {"1": [1400.0 + 20 * n for n in range(12)] + [0.0]}


@pytest.mark.parametrize(
    ("volume_ml", "is_unusual"), [(1500, False), (2400, False), (800, False), (3600, True), (600, True)]
)
def test_a_volume_far_from_what_is_usual_is_told_with_what_is_usual(
    volume_ml: float, is_unusual: bool
) -> None:
    found = unusual({"1": volume_ml}, PAST, {"1": "Liver"})
    assert bool(found) is is_unusual
    for sentence in found:
        assert sentence.startswith("Liver has ")
        assert "the 12 masks before had 1400 ml to 1620 ml" in sentence


def test_a_few_masks_do_not_say_what_is_usual_and_an_empty_one_is_told_elsewhere() -> None:
    assert unusual({"1": 9000}, {"1": [1500.0] * 9}, {}) == []
    assert unusual({"1": 0}, PAST, {}) == []


def test_a_structure_whose_volumes_spread_widely_may_spread() -> None:
    wide = {"1": [float(2**n) for n in range(12)]}
    assert unusual({"1": 8000}, wide, {}) == []


def uses(*pairs: tuple[int, int]) -> list[MemoryUse]:
    return [MemoryUse(voxels, peak_mib * MIB) for voxels, peak_mib in pairs]


def test_memory_follows_the_line_through_earlier_sizes_whatever_a_stray_run_took() -> None:
    line = uses((10, 400), (20, 500), (30, 600), (40, 700), (30, 600), (35, 5000))
    assert MemoryModel(line).expected_bytes(100) == pytest.approx(1300 * MIB, rel=0.1)


def test_memory_without_enough_sizes_is_what_a_scan_no_larger_took() -> None:
    assert MemoryModel([]).expected_bytes(100) == 0
    assert MemoryModel(uses((50, 700))).expected_bytes(100) == 700 * MIB
    assert MemoryModel(uses((50, 700))).expected_bytes(40) == 0
    alike = MemoryModel(uses((50, 700), (51, 710), (52, 720)))
    assert alike.expected_bytes(1000) == 720 * MIB
