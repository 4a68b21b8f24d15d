"""What of a scan's geometry and values can be told to be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import Channel
from segint_grpc.domain.ct_values import odd_values
from segint_grpc.domain.geometry import Geometry, faults, geometry_from
from segint_grpc.service.suitability import check_constraints, policies
from tests.shapes import anisotropic, oblique

Limits = ScanHandling.Limits


def test_limits_of_a_version_go_before_its_family_s_policy() -> None:
    limits = Limits(spacing=ScanHandling.REACTION_WARN, axial=ScanHandling.REACTION_OFF)
    channel = Model_pb2.ModelInputChannel()
    channel.CalibratedVolume.DataTransform.CopyFrom(oblique().to_transform())
    expected = Model_pb2.ModelChannelDescription(ChannelID="ct")
    expected.Constraints.IsAxial = True
    expected.Constraints.SpacingMaxInMillimeters.X = 1
    (told,) = check_constraints([channel], [expected], policies("enforce", limits))
    assert "the spacing in mm" in told
    with pytest.raises(errors.UnusableInput, match="not axial"):
        check_constraints([channel], [expected], policies("enforce", Limits()))


def test_a_left_handed_grid_and_rounded_directions_have_no_fault() -> None:
    affine = oblique().affine
    affine[:3, 2] *= -1
    assert faults(geometry_from(affine, (3, 4, 5))) == []
    affine = oblique().affine
    affine[:3, :3] = np.round(affine[:3, :3], 3)
    assert faults(geometry_from(affine, (3, 4, 5))) == []


def test_every_fault_is_told_by_the_field_that_has_it() -> None:
    nan = float("nan")
    broken = Geometry((3, 4, 5), (0.0, nan, 1.0), (2.0, 0, 0), (0, nan, 0), (0, 0, 1.0), (0, 0, nan))
    told = " ".join(faults(broken))
    axes = ("XAxisDirection is (2, 0, 0), of length 2", "YAxisDirection is (0, nan, 0)")
    for words in (*axes, "VoxelScalingInMM.X is 0", "VoxelScalingInMM.Y is nan", "Origin is (0, 0, nan)"):
        assert words in told
    assert "ZAxisDirection" not in told


CTS = [
    (np.random.default_rng(1).normal(0, 500, (8, 20, 20)), ""),
    (np.random.default_rng(1).normal(1024, 300, (8, 20, 20)), "where air has -1000"),
    (np.where(np.indices((8, 20, 20))[0] > 3, 2000, -1000), "where soft tissue is"),
]


@pytest.mark.parametrize(("values", "words"), CTS)
def test_values_that_are_no_ct_s_are_a_warning(values: Any, words: str) -> None:
    channel = Channel("ct", np.asarray(values).astype(np.int16), anisotropic())
    told = " ".join(odd_values([channel], ["ct"]))
    assert words in told
    assert bool(told) == bool(words)
    assert odd_values([channel], ["mr"]) == []
