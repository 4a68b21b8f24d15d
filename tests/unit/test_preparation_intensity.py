"""What becomes of a volume's values, numbers of every size included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.backends.base import Channel
from segint_grpc.preparation.intensity import held
from segint_grpc.preparation.preparing import prepare
from tests.shapes import anisotropic

Intensity = ScanHandling.Intensity
VALUES: NDArray[np.int16] = np.array([-3024, -2000, -1024, -500, 0, 40, 300, 32767, -32768], np.int16)


def volume(values: NDArray[Any] = VALUES) -> Channel:
    """A scan whose every slice holds `values`, each in a row of its own."""
    shape = anisotropic().shape_kji
    image = np.zeros(shape, values.dtype)
    image[:, : len(values)] = values[None, :, None]
    return Channel("ct", image, anisotropic())


def prepared(dtype: str = "FLOAT32", **intensity: Any) -> NDArray[Any]:
    """What becomes of `VALUES`."""
    wanted = ScanHandling.Input(dtype=f"DATA_TYPE_{dtype}", intensity=[Intensity(**intensity)])
    found: NDArray[Any] = prepare([volume()], wanted).images[0][3, : len(VALUES), 5]
    return found


def test_padding_outside_the_field_of_view_is_clamped_as_declared() -> None:
    assert prepared(clip=[-1024, 3071]).tolist() == [-1024, -1024, -1024, -500, 0, 40, 300, 3071, -1024]


def test_padding_is_clamped_before_it_is_mixed_with_the_body() -> None:
    image = np.full(anisotropic().shape_kji, 40, np.int16)
    image[:, :, 20:] = -3024
    wanted = ScanHandling.Input(spacing_mm=[0.7, 0, 0], intensity=[Intensity(clip=[-1024, 3071])])
    made = prepare([Channel("ct", image, anisotropic())], wanted).images[0]
    assert made.min() == -1024
    assert np.diff(made[0, 0]).max() < 1e-3


def test_a_pet_in_becquerel_leaves_int16_behind_and_nothing_wraps() -> None:
    assert prepared(scale=12.5)[7] == 32767 * 12.5
    assert prepared("INT32", scale=12.5)[7] == round(32767 * 12.5)
    assert prepared("INT32", scale=1e6)[7] == 2**31 - 1
    assert prepared("INT16", scale=12.5)[[7, 8]].tolist() == [32767, -32768]
    assert prepared("UINT8", scale=12.5)[[0, 6, 7]].tolist() == [0, 255, 255]
    assert np.isfinite(prepared("FLOAT16", scale=12.5)).all()


@pytest.mark.parametrize("dtype", [np.int32, np.int16, np.uint8, np.float16])
def test_no_value_wraps_in_any_type(dtype: type) -> None:
    wild = np.array([[[-1e20, -70000.4, 70000.6, 1e20, 1.5, 0.4]]], np.float32)
    made = held(wild, np.dtype(dtype)).astype(np.float64).ravel()
    assert (np.diff(made[:4]) >= 0).all()
    assert made[0] <= 0 <= made[3]
    assert made[4] in (1.5, 2.0)


def test_a_window_is_centre_and_width() -> None:
    made = prepared(window=[40, 400], normalise="NORMALISE_MIN_MAX")
    assert made.tolist() == pytest.approx([0, 0, 0, 0, 0.4, 0.5, 1, 1, 0])


def test_min_max_takes_the_declared_bounds_and_else_the_scan_s_own() -> None:
    declared = prepared(clip=[-1000, 1000], normalise="NORMALISE_MIN_MAX", range=[-1, 1])
    assert declared[[3, 4, 6]].tolist() == pytest.approx([-0.5, 0, 0.3])
    own = prepared(normalise="NORMALISE_MIN_MAX")
    assert (own[8], own[7]) == (0, 1)


def test_fixed_numbers_are_subtracted_and_divided_by() -> None:
    made = prepared(clip=[-1024, 276], normalise="NORMALISE_FIXED", mean=100.0, deviation=50.0)
    assert made[[2, 5, 6]].tolist() == pytest.approx([-22.48, -1.2, 3.52])


def test_a_z_score_looks_at_the_mask_alone() -> None:
    image = np.full(anisotropic().shape_kji, -1000, np.int16)
    image[4:9, 5:20, 6:30] = np.random.default_rng(1).normal(60, 20, (5, 15, 24)).astype(np.int16)
    wanted = ScanHandling.Input(intensity=[Intensity(normalise="NORMALISE_Z_SCORE", mask_above=-500)])
    made = prepare([Channel("ct", image, anisotropic())], wanted).images[0]
    inside = made[image > -500]
    assert (float(inside.mean()), float(inside.std())) == pytest.approx((0, 1), abs=1e-3)
    whole = prepare(
        [Channel("ct", image, anisotropic())],
        ScanHandling.Input(intensity=[Intensity(normalise="NORMALISE_Z_SCORE")]),
    ).images[0]
    assert float(whole.mean()) == pytest.approx(0, abs=1e-3)


def test_percentiles_cut_and_scale() -> None:
    image = np.random.default_rng(2).permutation(24 * 33 * 39).reshape(24, 33, 39) // 4
    image = image.astype(np.int16)
    wanted = ScanHandling.Input(intensity=[Intensity(normalise="NORMALISE_PERCENTILE", percentiles=[10, 90])])
    made = prepare([Channel("mr", image, anisotropic())], wanted).images[0]
    assert (made.min(), made.max()) == (0, 1)
    assert np.mean(made == 0) == pytest.approx(0.1, abs=0.01)


def test_a_scan_of_one_value_is_normalised_without_a_warning() -> None:
    flat = Channel("ct", np.full(anisotropic().shape_kji, 7, np.int16), anisotropic())
    for kind in ("Z_SCORE", "MIN_MAX", "PERCENTILE"):
        wanted = ScanHandling.Input(intensity=[Intensity(normalise=f"NORMALISE_{kind}")])
        assert np.unique(prepare([flat], wanted).images[0]).tolist() == [0]


def test_channels_have_values_of_their_own_and_come_in_the_declared_order() -> None:
    pet = Channel("pet", volume().image_kji, anisotropic())
    wanted = ScanHandling.Input(
        channels=["pet", "ct"],
        intensity=[Intensity(clip=[-100, 100]), Intensity(channel="pet", scale=0.5)],
    )
    made = prepare([volume(), pet], wanted)
    assert made.channel_ids == ("pet", "ct")
    assert (made.images[0].max(), made.images[1].max()) == (16383.5, 100)


def test_what_lies_outside_and_what_is_padded_is_the_fill_in_the_model_s_own_values() -> None:
    wanted = ScanHandling.Input(
        intensity=[Intensity(clip=[-1000, 1000], fill=-1000, normalise="NORMALISE_MIN_MAX")]
    )
    small = replace(anisotropic(), shape_kji=(4, 5, 6))
    made = prepare([Channel("ct", np.full((4, 5, 6), 500, np.int16), small)], wanted)
    grown = made.padded((8, 5, 7), (1, 4, 2))
    assert grown.images[0].shape == (8, 8, 8)
    assert np.unique(grown.images[0]).tolist() == [0, 0.75]
    assert grown.images[0][2, 1, 1] == 0.75


def test_a_padded_grid_keeps_every_voxel_at_its_millimetres() -> None:
    made = prepare([volume()], ScanHandling.Input())
    grown = made.padded((31, 33, 50), (1, 1, 1))
    before = (31 - 24) // 2, 0, (50 - 39) // 2
    np.testing.assert_allclose(
        grown.geometry.xyz_mm(np.array([before])), made.geometry.xyz_mm(np.array([[0, 0, 0]])), atol=1e-9
    )


def test_nothing_declared_but_the_type_as_sent_hands_the_voxels_on_uncopied() -> None:
    channel = volume()
    made = prepare([channel], ScanHandling.Input(orientation="LPS", dtype=ScanHandling.DATA_TYPE_INT16))
    assert np.shares_memory(made.images[0], channel.image_kji)


def test_the_scan_is_cropped_to_its_body_and_the_table_below_is_left_out() -> None:
    image = np.full(anisotropic().shape_kji, -1000, np.int16)
    image[5:15, 8:20, 10:25] = 30
    image[:, 30, :] = 100
    wanted = ScanHandling.Input(crop=ScanHandling.Crop(margin_mm=0))
    made = prepare([Channel("ct", image, anisotropic())], wanted)
    shape = made.images[0].shape
    assert all(size < whole for size, whole in zip(shape, (24, 33, 39), strict=True))
    assert (made.images[0] == 30).sum() == 10 * 12 * 15
    assert not (made.images[0] == 100).any()
