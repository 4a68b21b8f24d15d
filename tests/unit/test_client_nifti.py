"""A NIfTI file in any axis order is sent in the patient's order, and its masks go back to the same places."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.client.nifti_masks import write_mask
from segint_grpc.client.scan import LPS_TO_RAS
from segint_grpc.client.scans import read_scan
from tests.scans_on_disk import SHARED_DATA, needs_shared_data

SPACING = (1.5, 0.75, 3.0)
SIGNED_ORDERS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


def rotation(degrees: float) -> NDArray[np.float64]:
    """Turns about an axis that is none of x, y, z."""
    axis = np.array((1.0, 2.0, 3.0)) / np.sqrt(14.0)
    angle = np.radians(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def affine_ras(axes: tuple[int, ...], signs: tuple[int, ...], degrees: float = 0.0) -> NDArray[np.float64]:
    affine = np.eye(4)
    for file_axis, (world_axis, sign) in enumerate(zip(axes, signs, strict=True)):
        column = np.zeros(3)
        column[world_axis] = sign * SPACING[file_axis]
        affine[:3, file_axis] = rotation(degrees) @ column
    affine[:3, 3] = (-71.25, 13.5, 402.0)
    return affine


def asymmetric(shape: tuple[int, int, int] = (7, 5, 4)) -> NDArray[np.int16]:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape) - 40


def save(path: Path, array: NDArray[Any], affine: NDArray[np.float64] | None, **header: Any) -> Path:
    image = nibabel.Nifti1Image(array, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def positions_by_value_nifti(
    array: NDArray[Any], affine: NDArray[np.float64]
) -> dict[int, tuple[float, ...]]:
    """Value → LPS position in mm, by nibabel's definition of the affine alone."""
    indices = np.argwhere(np.ones(array.shape, dtype=bool))
    lps = nibabel.affines.apply_affine(LPS_TO_RAS @ affine, indices)
    return {int(array[tuple(ijk)]): tuple(np.round(xyz, 4)) for ijk, xyz in zip(indices, lps, strict=True)}


def positions_by_value_scan(scan: Any) -> dict[int, tuple[float, ...]]:
    indices = np.argwhere(np.ones(scan.image_kji.shape, dtype=bool))
    xyz = np.round(scan.geometry.xyz_mm(indices), 4)
    return {int(scan.image_kji[tuple(kji)]): tuple(place) for kji, place in zip(indices, xyz, strict=True)}


@pytest.mark.parametrize(("axes", "signs"), SIGNED_ORDERS)
@pytest.mark.parametrize("degrees", [0.0, 17.0])
def test_every_voxel_keeps_its_place_in_any_signed_axis_order(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...], degrees: float
) -> None:
    array, affine = asymmetric(), affine_ras(axes, signs, degrees)
    path = save(tmp_path / "scan.nii", array, affine)
    scan = read_scan(path)
    expected = positions_by_value_nifti(array, nibabel.load(path).affine)
    found = positions_by_value_scan(scan)
    assert found.keys() == expected.keys()
    assert max(np.abs(np.subtract(found[v], expected[v])).max() for v in found) < 1e-3


@pytest.mark.parametrize(("axes", "signs"), SIGNED_ORDERS)
def test_columns_run_left_rows_back_and_slices_up_in_any_signed_axis_order(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    scan = read_scan(save(tmp_path / "scan.nii", asymmetric(), affine_ras(axes, signs)))
    assert scan.geometry.x_axis == (1, 0, 0)
    assert scan.geometry.y_axis == (0, 1, 0)
    assert scan.geometry.z_axis == (0, 0, 1)


@pytest.mark.parametrize(("axes", "signs"), SIGNED_ORDERS)
def test_a_mask_is_written_in_the_scans_own_order_at_the_same_millimetres(
    tmp_path: Path, axes: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    array = asymmetric()
    path = save(tmp_path / "scan.nii", array, affine_ras(axes, signs, 17.0))
    scan = read_scan(path)
    mask_kji = (scan.image_kji > 60).astype(np.uint8)
    mask_kji[0, 0, 0] = 1
    target = tmp_path / "mask.nii.gz"
    write_mask(target, mask_kji, scan.frame)
    mask, source = nibabel.load(target), nibabel.load(path)
    assert np.array_equal(mask.affine, source.affine)
    inside = np.asarray(mask.dataobj)
    assert inside.dtype == np.uint8
    expected = array > 60
    expected |= array == scan.image_kji[0, 0, 0]
    assert np.array_equal(inside.astype(bool), expected)


def test_a_mask_carries_both_frames_their_codes_and_the_unit_of_the_scan(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(asymmetric(), None)
    image.set_sform(affine_ras((1, 0, 2), (1, 1, -1)), code=4)
    image.set_qform(affine_ras((1, 0, 2), (1, -1, -1), 5.0), code=1)
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz")
    write_mask(tmp_path / "mask.nii.gz", np.ones(scan.image_kji.shape, np.uint8), scan.frame)
    mask, source = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(tmp_path / "scan.nii.gz")
    assert (mask.header["sform_code"], mask.header["qform_code"]) == (4, 1)
    assert np.array_equal(mask.get_sform(), source.get_sform())
    assert np.allclose(mask.get_qform(), source.get_qform(), atol=1e-5)
    assert mask.header.get_xyzt_units()[0] == "micron"


def test_a_file_that_counts_in_metres_is_placed_in_millimetres(tmp_path: Path) -> None:
    affine = np.diag((-0.002, -0.002, 0.003, 1.0))
    affine[:3, 3] = (0.1, 0.2, -0.3)
    image = nibabel.Nifti1Image(asymmetric(), affine)
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    assert scan.geometry.spacing_xyz_mm == pytest.approx((2, 2, 3), rel=1e-6)
    assert scan.geometry.origin_xyz_mm == pytest.approx((-100, -200, -300), rel=1e-6)


def test_frames_that_disagree_are_noted_with_their_distance(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(asymmetric(), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 12.0
    image.set_sform(np.eye(4), code=2)
    image.set_qform(moved, code=1)
    nibabel.save(image, tmp_path / "scan.nii")
    (note,) = read_scan(tmp_path / "scan.nii").notes
    assert "12.0 mm apart" in note


def test_stored_numbers_are_scaled_as_the_header_says(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(asymmetric().astype(np.uint16) % 100, np.eye(4))
    image.header.set_slope_inter(2.5, -1024)
    nibabel.save(image, tmp_path / "scan.nii")
    stored = nibabel.load(tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    expected = np.rint(stored.get_fdata())
    assert np.array_equal(scan.frame.order.to_file(scan.image_kji), expected)


def test_floats_are_rounded_and_that_is_said(tmp_path: Path) -> None:
    array = np.linspace(-1000.4, 1000.6, 60, dtype=np.float32).reshape(3, 4, 5)
    scan = read_scan(save(tmp_path / "scan.nii.gz", array, np.diag((-1.0, -1.0, 1.0, 1.0))))
    assert np.array_equal(scan.image_kji, np.rint(array).transpose(2, 1, 0))
    (note,) = scan.notes
    assert "rounded" in note
    whole = read_scan(save(tmp_path / "whole.nii", np.rint(array), np.diag((-1.0, -1.0, 1.0, 1.0))))
    assert whole.notes == ()


def test_a_fourth_axis_of_length_one_is_no_hindrance(tmp_path: Path) -> None:
    scan = read_scan(save(tmp_path / "scan.nii", asymmetric()[..., np.newaxis], np.eye(4)))
    assert scan.image_kji.shape == (4, 5, 7)


SHEARED = np.eye(4)
SHEARED[0, 1] = 0.2


@pytest.mark.parametrize(
    ("array", "affine", "sentence"),
    [
        (asymmetric(), None, "does not say where its voxels lie"),
        (asymmetric(), SHEARED, "sheared: its axes i and j"),
        (np.zeros((3, 4, 5, 2), np.int16), np.eye(4), "one volume"),
        (np.zeros((3, 4), np.int16), np.eye(4), "one volume"),
        (np.full((3, 4, 5), np.nan, np.float32), np.eye(4), "NaN"),
        (np.full((3, 4, 5), 40_000, np.int32), np.eye(4), "from 40000 to 40000"),
        (np.full((3, 4, 5), -1e9, np.float64), np.eye(4), "-32768"),
        (np.zeros((3, 4, 5), np.complex64), np.eye(4), "plain numbers"),
    ],
)
def test_a_scan_that_cannot_be_placed_or_sent_is_refused(
    tmp_path: Path, array: NDArray[Any], affine: NDArray[np.float64] | None, sentence: str
) -> None:
    path = save(tmp_path / "scan.nii", array, affine)
    with pytest.raises(errors.UnusableScan, match=sentence):
        read_scan(path)


def test_a_voxel_of_no_thickness_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(asymmetric(), np.eye(4))
    (tmp_path / "scan.nii").write_bytes(image.to_bytes()[:312] + bytes(16) + image.to_bytes()[328:])
    with pytest.raises(errors.UnusableScan, match="must be above zero"):
        read_scan(tmp_path / "scan.nii")


def test_a_file_that_is_no_nifti_or_cut_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nii").write_text("no image " * 100)
    with pytest.raises(errors.UnusableScan, match="cannot be read as NIfTI"):
        read_scan(tmp_path / "text.nii")
    whole = save(tmp_path / "whole.nii", asymmetric(), np.eye(4)).read_bytes()
    (tmp_path / "cut.nii").write_bytes(whole[:-20])
    with pytest.raises(errors.UnusableScan, match="damaged"):
        read_scan(tmp_path / "cut.nii")


def test_a_path_that_is_no_scan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.UnusableScan, match="no file or folder"):
        read_scan(tmp_path / "nowhere.nii")
    (tmp_path / "slice.dcm").touch()
    with pytest.raises(errors.UnusableScan, match="give the folder"):
        read_scan(tmp_path / "slice.dcm")


@needs_shared_data
def test_the_real_scan_and_its_labels_agree_voxel_for_voxel_after_reading() -> None:
    scan = read_scan(SHARED_DATA / "ct_thorax_3mm.nii.gz")
    labels = read_scan(SHARED_DATA / "ct_thorax_3mm_labels.nii.gz")
    assert scan.geometry == labels.geometry
    # The liver (5) lies on the patient's right of the stomach (6): at smaller x in LPS.
    liver, stomach = (scan.geometry.xyz_mm(np.argwhere(labels.image_kji == n)).mean(axis=0) for n in (5, 6))
    assert liver[0] < stomach[0]


def test_a_library_that_is_not_installed_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "scan.nii", asymmetric(), np.eye(4))
    monkeypatch.delitem(sys.modules, "segint_grpc.client.nifti", raising=False)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(
        errors.MissingLibrary, match=r'nibabel is not installed.*pip install "segint\[client\]"'
    ):
        read_scan(path)
