"""The same body stored in other ways: every voxel keeps its millimetres, and every mask finds its way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import Arrangement, Placement, Window, patient_axis
from segint_grpc.service.gate.scans import tilted

BASE = Geometry((4, 5, 6), (1.0, 1.5, 3.0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-5.0, 7.0, 90.0))
OBLIQUE = tilted(replace(BASE, x_axis=(-1, 0, 0), z_axis=(0, 0, -1)), 20.0)

GEOMETRIES = st.sampled_from([BASE, OBLIQUE])
SHARES = st.sampled_from([-0.4, -0.2, 0.1, 0.3])
PLACEMENTS: st.SearchStrategy[Placement] = st.one_of(
    st.sampled_from(TURNS), st.builds(Window, st.tuples(SHARES, SHARES, SHARES))
)


@given(GEOMETRIES, PLACEMENTS)
def test_every_voxel_lies_at_the_millimetres_at_which_it_lay(base: Geometry, placement: Placement) -> None:
    numbers = np.arange(1, 121).reshape(base.shape_kji)
    stored = placement.apply(numbers)
    geometry = placement.geometry(base)
    assert geometry.shape_kji == stored.shape
    kept = [n for n in np.unique(stored) if np.count_nonzero(stored == n) == 1]
    assert len(kept) > 10
    for number in kept:
        before = base.xyz_mm(np.argwhere(numbers == number))
        after = geometry.xyz_mm(np.argwhere(stored == number))
        assert np.allclose(before, after)


@given(PLACEMENTS)
def test_a_mask_is_laid_back_to_where_it_came_from(placement: Placement) -> None:
    numbers = np.arange(1, 121).reshape(BASE.shape_kji)
    back = placement.undo(placement.apply(numbers))
    assert np.array_equal(back, numbers[placement.common(BASE.shape_kji)])


def test_there_are_48_ways_to_store_a_volume_and_the_first_changes_nothing() -> None:
    assert len(set(TURNS)) == 48
    assert TURNS[0] == Arrangement()


def test_a_window_is_filled_with_the_least_value_and_keeps_its_size() -> None:
    moved = Window((0.25, -0.2, 0.5)).apply(np.full((4, 5, 6), 9) - np.eye(6, dtype=int)[None, :5] * 3)
    assert moved.shape == (4, 5, 6)
    assert np.all(moved[3] == 6)
    assert np.all(moved[:, 0] == 6)
    assert np.all(moved[:, :, 3:] == 6)


def test_the_voxels_of_an_arrangement_are_not_copied() -> None:
    image_kji = np.zeros((2, 3, 4))
    assert all(np.shares_memory(image_kji, turn.apply(image_kji)) for turn in TURNS)


@pytest.mark.parametrize(("axis", "name"), [(0, "head–feet"), (1, "front–back"), (2, "left–right")])
def test_an_axis_has_its_name_in_the_patient(axis: int, name: str) -> None:
    assert patient_axis(BASE, axis) == name
    assert patient_axis(OBLIQUE, axis) == name


def test_the_axes_of_a_sagittal_scan_have_other_names() -> None:
    sagittal = Arrangement((2, 0, 1), (False, True, False)).geometry(BASE)
    names = [patient_axis(sagittal, axis) for axis in range(3)]
    assert names == ["left–right", "head–feet", "front–back"]
