"""Masks in two placements: what agrees, what is mirrored, what is elsewhere, and what a pair's names say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from generated.radiomics.Model_pb2 import ModelChannelConstraints
from segint_grpc.domain.agreement import (
    TURNS,
    Verdict,
    agreement,
    centre_xyz_mm,
    shift_in_words,
    turned_in_words,
)
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.laterality import pairs, swapped
from segint_grpc.domain.orientation import Arrangement, Placement, Window
from segint_grpc.service.gate.phantoms import draw
from segint_grpc.service.gate.trials import PHANTOM_MOVE, phantom_orientations

IMAGE = draw((64, 64, 64), ModelChannelConstraints.ModalityTypes.CT)
BASE = Geometry((64, 64, 64), (5.0, 4.0, 4.5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-153.0, -171.0, -812.0))
LIMITS_HU = {
    "air": (-2000, -990),
    "lung": (-900, -700),
    "fat": (-150, -50),
    "body": (-300, 4000),
    "bone": (600, 900),
}
PLACEMENTS = [orientation.placement for orientation in phantom_orientations(axial_only=False)]


def found(image: NDArray[Any], name: str, turn: Arrangement = TURNS[0]) -> dict[str, NDArray[Any]]:
    low, high = LIMITS_HU[name]
    return {name: turn.apply((image >= low) & (image < high))}


@pytest.mark.parametrize("name", LIMITS_HU)
@pytest.mark.parametrize("placement", PLACEMENTS)
def test_a_model_without_a_direction_agrees_in_every_orientation(name: str, placement: Placement) -> None:
    agreed = agreement(found(IMAGE, name), found(placement.apply(IMAGE), name), placement)
    assert agreed.verdict is Verdict.AGREES
    assert min(agreed.dice.values()) == 1


@pytest.mark.parametrize("name", LIMITS_HU)
@pytest.mark.parametrize("turn", TURNS[1:8])
def test_every_mirror_is_seen_in_another_field_of_view_whatever_is_found(
    name: str, turn: Arrangement
) -> None:
    moved = PHANTOM_MOVE.apply(IMAGE)
    agreed = agreement(found(IMAGE, name, turn), found(moved, name, turn), PHANTOM_MOVE)
    assert agreed.verdict is Verdict.ALWAYS_TURNED
    assert agreed.mend == turn


@pytest.mark.parametrize("turn", TURNS[8::5])
def test_every_exchange_of_axes_is_seen_in_another_field_of_view(turn: Arrangement) -> None:
    moved = PHANTOM_MOVE.apply(IMAGE)
    agreed = agreement(found(IMAGE, "bone", turn), found(moved, "bone", turn), PHANTOM_MOVE)
    assert agreed.verdict is Verdict.ALWAYS_TURNED
    assert turn.undo(IMAGE).tobytes() == agreed.mend.apply(IMAGE).tobytes()


@pytest.mark.parametrize("turn", TURNS[1:8])
def test_no_flip_can_show_a_mirror(turn: Arrangement) -> None:
    for flip in TURNS[1:8]:
        agreed = agreement(found(IMAGE, "bone", turn), found(flip.apply(IMAGE), "bone", turn), flip)
        assert agreed.verdict is Verdict.AGREES


def test_a_mirror_that_depends_on_the_orientation_is_told_from_one_that_is_always_there() -> None:
    reverse = Arrangement(reverse=(True, False, False))
    stays = agreement(found(IMAGE, "bone"), found(IMAGE, "bone"), reverse)
    assert stays.verdict is Verdict.TURNED_HERE
    assert turned_in_words(stays, BASE, reverse) == "mirrored head–feet"


def test_an_exchange_of_axes_is_told_in_the_patients_words() -> None:
    turn = Arrangement((0, 2, 1))
    agreed = agreement(
        found(IMAGE, "bone", turn), found(PHANTOM_MOVE.apply(IMAGE), "bone", turn), PHANTOM_MOVE
    )
    assert turned_in_words(agreed, BASE, PHANTOM_MOVE) == "with left–right and front–back exchanged"


def test_nothing_found_proves_nothing() -> None:
    nothing = {"liver": np.zeros((4, 4, 4), np.uint8)}
    assert agreement(nothing, nothing, TURNS[0]).verdict is Verdict.NOTHING


def ball(centre: int, radius: int = 8) -> dict[str, NDArray[Any]]:
    k, j, i = np.mgrid[:40, :40, :40]
    return {"liver": (k - 20) ** 2 + (j - 12) ** 2 + (i - centre) ** 2 < radius**2}


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (ball(15), Verdict.AGREES),
        (ball(17), Verdict.DIFFERS),
        (ball(22, 7), Verdict.ELSEWHERE),
        ({"liver": np.zeros((40, 40, 40), bool)}, Verdict.LOST),
    ],
)
def test_masks_that_waver_differ_or_are_lost_are_told_apart(
    other: dict[str, NDArray[Any]], verdict: Verdict
) -> None:
    assert agreement(ball(14), other, TURNS[0]).verdict is verdict


def test_a_centre_is_in_millimetres_and_a_shift_in_the_patients_words() -> None:
    mask_kji = np.zeros((64, 64, 64), bool)
    mask_kji[10:13, 20, 30] = True
    assert np.allclose(centre_xyz_mm(mask_kji, BASE), (-153 + 150, -171 + 80, -812 + 49.5))
    assert centre_xyz_mm(np.zeros_like(mask_kji), BASE) is None
    assert (
        shift_in_words(np.array([40.2, -12.0, 0.3])) == "40 mm towards the left and 12 mm towards the front"
    )


def test_a_window_that_covers_less_is_judged_by_what_it_covers() -> None:
    window = Window((0.4, 0.1, 0.1))
    agreed = agreement(found(IMAGE, "body"), found(window.apply(IMAGE), "body"), window)
    assert agreed.verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Lung_L", "Lung_R"),
        ("kidney left", "kidney right"),
        ("Left Femur", "Right Femur"),
        ("LungL", "LungR"),
        ("LT EYE", "RT EYE"),
        ("lung_upper_lobe_left", "lung_upper_lobe_right"),
        ("Parotid (L)", "Parotid (R)"),
    ],
)
def test_pairs_are_told_by_their_names(left: str, right: str) -> None:
    assert pairs(["Liver", right, left]) == [(2, 1)]


@pytest.mark.parametrize(
    "names", [["Liver", "Rectum"], ["L", "R"], ["Lung_L", "Kidney_R"], ["Left R", "Right L"]]
)
def test_other_names_are_no_pair(names: list[str]) -> None:
    assert pairs(names) == []


def test_a_pair_is_swapped_when_the_left_one_lies_further_to_the_right() -> None:
    names = ["Lung_L", "Lung_R"]
    assert swapped(names, {0: -80.0, 1: 75.0}) == [("Lung_L", "Lung_R")]
    assert swapped(names, {0: 75.0, 1: -80.0}) == []
    assert swapped(names, {0: -80.0}) == []
