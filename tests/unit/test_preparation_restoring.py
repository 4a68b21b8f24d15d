"""Masks back on the scan's own grid: labels, shares, pieces, cavities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.geometry import Geometry
from segint_grpc.preparation import grids
from segint_grpc.preparation.cleaning import Rules, cleaned
from segint_grpc.preparation.restoring import restored
from segint_grpc.preparation.scores import FULL, Found
from tests.shapes import SHAPES, anisotropic, distances, oblique, shift_mm, wrong_by_mm

SENT = anisotropic()
MODEL = grids.respaced(TURNS[13].geometry(anisotropic()), (3.0, 3.0, 3.0))


def rules(label: int, **facts: Any) -> Rules:
    said = {"threshold": 0.5, "largest_component": False, "fill_holes": False, "smallest_ml": 0.0}
    return Rules(label, **(said | facts))


def thirds(geometry: Geometry) -> NDArray[np.uint8]:
    """Three labels that share a ball without gaps, 7, 9 and 11."""
    ball = distances(SHAPES["sphere"], geometry) < 0
    angle = np.indices(geometry.shape_kji)[1] + np.indices(geometry.shape_kji)[2]
    return np.where(ball, 7 + 2 * (angle // 2 % 3), 0).astype(np.uint8)


@pytest.mark.parametrize("target", [SENT, oblique()], ids=["parallel", "oblique"])
def test_labels_that_touch_come_back_without_gaps_or_overlaps(target: Geometry) -> None:
    found = Found((thirds(MODEL),), MODEL, is_labels=True)
    masks = list(restored(found, [rules(label) for label in (7, 9, 11)], [target] * 3))
    together = np.sum(masks, axis=0)
    assert together.max() == 1
    union = Found(((thirds(MODEL) > 0).astype(np.uint8),), MODEL, is_labels=True)
    (whole,) = restored(union, [rules(1)], [target])
    np.testing.assert_array_equal(together > 0, whole)
    assert all(mask.any() for mask in masks)


def test_a_label_that_no_structure_has_is_left_out() -> None:
    found = Found((thirds(MODEL),), MODEL, is_labels=True)
    (mask,) = restored(found, [rules(9)], [SENT])
    full = list(restored(found, [rules(7), rules(9)], [SENT, SENT]))[1]
    assert mask.sum() > 0.8 * full.sum() > 0


def test_a_turned_grid_gives_the_voxels_back_as_they_are() -> None:
    for turn in TURNS:
        grid = turn.geometry(SENT)
        labels = turn.apply(thirds(SENT))
        found = Found((labels,), grid, is_labels=True)
        made = list(restored(found, [rules(7), rules(11)], [SENT, SENT]))
        np.testing.assert_array_equal(made[0], thirds(SENT) == 7)
        np.testing.assert_array_equal(made[1], thirds(SENT) == 11)


@pytest.mark.parametrize("target", [SENT, oblique()], ids=["parallel", "oblique"])
@pytest.mark.parametrize("name", SHAPES)
def test_shares_are_interpolated_so_that_a_surface_stays_within_a_fraction_of_a_voxel(
    name: str, target: Geometry
) -> None:
    shape = SHAPES[name]
    share = np.clip(0.5 - distances(shape, MODEL) / 8, 0, 1)
    found = Found((np.rint(share * FULL).astype(np.uint8),), MODEL, is_labels=False)
    (mask,) = restored(found, [rules(0)], [target])
    assert wrong_by_mm(mask, shape, target) < 1.2
    assert shift_mm(mask, shape, target) < 1.0


def test_each_structure_has_a_threshold_of_its_own() -> None:
    share = np.full(SENT.shape_kji, round(0.4 * FULL), np.uint8)
    found = Found((share, share), SENT, is_labels=False)
    low, high = restored(found, [rules(0, threshold=0.3), rules(1)], [SENT, SENT])
    assert low.all()
    assert not high.any()


def test_structures_go_to_the_grids_of_their_own_channels() -> None:
    found = Found((thirds(MODEL),), MODEL, is_labels=True)
    one, other = restored(found, [rules(7), rules(9)], [SENT, oblique()])
    assert (one.shape, other.shape) == (SENT.shape_kji, oblique().shape_kji)


def test_what_was_cut_away_before_the_model_comes_back_empty() -> None:
    part = grids.boxed(SENT, (5, 6, 7), (4, 5, 6))
    found = Found((np.ones(part.shape_kji, np.uint8),), part, is_labels=False, full=1)
    (mask,) = restored(found, [rules(0)], [SENT])
    assert mask.sum() == 4 * 5 * 6
    assert mask[5:9, 6:11, 7:13].all()


def test_the_largest_piece_stays_and_cavities_are_filled() -> None:
    mask = np.zeros((12, 12, 12), np.bool_)
    mask[1:8, 1:8, 1:8] = True
    mask[3:5, 3:5, 3:5] = False
    mask[10, 10, 10] = True
    kept = cleaned(mask, rules(0, largest_component=True, fill_holes=True), SENT)
    assert kept.sum() == 7**3
    small = cleaned(mask, rules(0, smallest_ml=0.02), SENT)
    assert not small[10, 10, 10]
    assert small.sum() == mask.sum() - 1
    assert cleaned(mask, rules(0, smallest_ml=1e6), SENT).sum() == 0
    assert cleaned(mask, rules(0), SENT) is mask


def test_a_cavity_of_one_label_is_not_taken_from_another() -> None:
    labels = np.zeros(SENT.shape_kji, np.uint8)
    labels[2:9, 2:9, 2:9] = 1
    labels[4:6, 4:6, 4:6] = 2
    labels[7, 7, 7] = 0
    found = Found((labels,), SENT, is_labels=True)
    outer, inner = restored(found, [rules(1, fill_holes=True), rules(2)], [SENT, SENT])
    assert outer.sum() == 7**3 - 8
    assert inner.sum() == 8


def test_nothing_found_is_an_empty_mask_for_every_structure() -> None:
    found = Found((np.zeros((1, 1, 1), np.uint8),), grids.boxed(SENT, (0, 0, 0), (1, 1, 1)), is_labels=True)
    masks = list(restored(found, [rules(1), rules(2)], [SENT, SENT]))
    assert not np.any(masks)
