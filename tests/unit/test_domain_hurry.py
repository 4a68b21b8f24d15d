"""What a hurried inference gives up, and what that saves."""

from __future__ import annotations

import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain.hurry import cost_share, given_up, hurried

Inference, Hurried = ScanHandling.Inference, ScanHandling.Hurried
WINDOWS = ScanHandling.MODE_SLIDING_WINDOW
AXIAL, CORONAL, SAGITTAL = ScanHandling.PLANE_AXIAL, ScanHandling.PLANE_CORONAL, ScanHandling.PLANE_SAGITTAL

WINDOWED = Inference(
    mode=WINDOWS, window=[8, 8, 8], flips=["x", "y"], hurried=Hurried(overlap=0.0, drop_flips=True)
)
PLANES = Inference(
    mode=ScanHandling.MODE_SLICES,
    planes=[AXIAL, CORONAL, SAGITTAL],
    flips=["x"],
    hurried=Hurried(planes=[CORONAL]),
)


def of(inference: ScanHandling.Inference) -> ScanHandling:
    return ScanHandling(inference=inference, input=ScanHandling.Input(orientation="LPS"))


def test_windows_flips_and_planes_count_as_passes() -> None:
    assert cost_share(of(WINDOWED)) == pytest.approx(0.5**3 / 3)
    assert cost_share(of(PLANES)) == pytest.approx(1 / 3)
    flips = Inference(flips=["x", "y", "z"], hurried=Hurried(drop_flips=True))
    assert cost_share(of(flips)) == 0.25
    written = Inference(mode=WINDOWS, overlap=0.75, hurried=Hurried(overlap=0.5))
    assert cost_share(of(written)) == pytest.approx(1 / 8)


def test_what_is_given_up_is_gone_and_all_else_stays() -> None:
    made = hurried(of(WINDOWED))
    assert made == of(Inference(mode=WINDOWS, window=[8, 8, 8], overlap=0.0))
    assert made.inference.HasField("overlap")
    made = hurried(of(PLANES))
    assert made == of(Inference(mode=PLANES.mode, planes=[CORONAL], flips=["x"]))


def test_the_usual_handling_is_left_alone() -> None:
    usual = of(WINDOWED)
    hurried(usual)
    assert usual == of(WINDOWED)


@pytest.mark.parametrize("usual", [ScanHandling(), of(Inference(mode=WINDOWS, flips=["x"]))])
def test_where_nothing_may_be_given_up_nothing_is_saved(usual: ScanHandling) -> None:
    assert cost_share(usual) == 1
    assert hurried(usual) == usual


def test_it_is_told_in_words() -> None:
    assert given_up(of(WINDOWED)) == "windows that overlap by 0 instead of 0.5, no flips"
    assert given_up(of(PLANES)) == "slices of 1 instead of 3 planes"
