from __future__ import annotations

import pytest

from generated.radiomics import Model_pb2, Primitives3D_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.service.suitability import check_constraints, match_channels, policies

Vector = Primitives3D_pb2.Vector3D
OFF, WARN, ENFORCE = (policies(policy, ScanHandling.Limits()) for policy in ("off", "warn", "enforce"))


def test_channels_are_put_into_the_family_s_order() -> None:
    assert match_channels(["PET", "CT"], ["CT", "PET"]) == ([1, 0], [])


def test_one_channel_of_another_name_is_taken_with_a_warning() -> None:
    order, warnings = match_channels(["scan"], ["1"])
    assert order == [0]
    assert '"scan"' in warnings[0]
    assert '"1"' in warnings[0]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(["a", "b"], ["1"]), (["a"], ["1", "2"]), (["1", "1"], ["1", "2"]), (["1", "1"], ["1", "1"])],
)
def test_other_channels_are_refused_and_both_lists_named(sent: list[str], expected: list[str]) -> None:
    with pytest.raises(errors.UnusableInput) as caught:
        match_channels(sent, expected)
    for name in (*sent, *expected):
        assert f'"{name}"' in caught.value.message


def test_no_channel_is_refused() -> None:
    with pytest.raises(errors.UnusableInput, match="No channel"):
        match_channels([], ["1"])


def channel(spacing: Vector, size: tuple[int, int, int], z_axis: Vector) -> Model_pb2.ModelInputChannel:
    message = Model_pb2.ModelInputChannel(ChannelID="1")
    message.CalibratedVolume.DataTransform.VoxelScalingInMM.CopyFrom(spacing)
    message.CalibratedVolume.DataTransform.ZAxisDirection.CopyFrom(z_axis)
    volume = message.CalibratedVolume.Volume
    volume.Width, volume.Height, volume.Depth = size
    return message


GOOD = channel(Vector(X=1, Y=1, Z=3), (512, 256, 100), Vector(Z=-1))
BOUNDS = Model_pb2.ModelChannelConstraints(
    SpacingMinInMillimeters=Vector(X=1, Y=1, Z=1),
    SpacingMaxInMillimeters=Vector(X=1, Y=1, Z=3),
    DimensionsMinInPixels=Vector(X=512, Y=256, Z=100),
    DimensionsMaxInPixels=Vector(X=512, Y=256, Z=100),
    IsAxial=True,
)
FAMILY = [Model_pb2.ModelChannelDescription(ChannelID="1", Constraints=BOUNDS)]


def test_bounds_are_inclusive_and_slices_in_reverse_are_axial() -> None:
    assert check_constraints([GOOD], FAMILY, ENFORCE) == []


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (channel(Vector(X=1, Y=1, Z=3.1), (512, 256, 100), Vector(Z=1)), "1 × 1 × 3.1"),
        (channel(Vector(X=1, Y=1, Z=3), (256, 512, 100), Vector(Z=1)), "256 × 512 × 100"),
        (channel(Vector(X=1, Y=1, Z=3), (512, 256, 100), Vector(Y=1)), "not axial"),
    ],
)
def test_what_lies_outside_is_a_warning_or_a_refusal_by_policy(
    scan: Model_pb2.ModelInputChannel, words: str
) -> None:
    assert words in check_constraints([scan], FAMILY, WARN)[0]
    assert check_constraints([scan], FAMILY, OFF) == []
    with pytest.raises(errors.UnusableInput, match=words):
        check_constraints([scan], FAMILY, ENFORCE)


def test_absent_bounds_are_no_bounds() -> None:
    family = [Model_pb2.ModelChannelDescription(ChannelID="1")]
    assert check_constraints([GOOD], family, ENFORCE) == []
    family[0].Constraints.IsAxial = False
    assert check_constraints([GOOD], family, ENFORCE) == []
