"""A DICOM series is stacked by place and not by number, or refused with the name of the slice."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset

from segint_grpc import errors
from segint_grpc.client.nifti_masks import write_mask
from segint_grpc.client.scan import LPS_TO_RAS
from segint_grpc.client.scans import read_scan
from tests.scans_on_disk import AXIAL, PYDICOM_SERIES, SHARED_DATA, needs_shared_data, write_series

IMAGE = (np.arange(6 * 4 * 5, dtype=np.int16) - 50).reshape(6, 4, 5)
PRONE = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, -0.36, 0.48, 0.8)


def places_by_value(folder: Path) -> dict[int, tuple[float, ...]]:
    """HU value → LPS mm by the equation of PS3.3 C.7.6.2.1.1, from each file alone."""
    places = {}
    for path in folder.glob("*.dcm"):
        header = pydicom.dcmread(path)
        x, y = np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float)
        rows_mm, columns_mm = header.PixelSpacing
        origin = np.array(header.ImagePositionPatient, dtype=float)
        for (j, i), stored in np.ndenumerate(header.pixel_array):
            places[int(stored) - 1024] = tuple(origin + x * columns_mm * i + y * rows_mm * j)
    return places


@pytest.mark.parametrize("orientation", [AXIAL, PRONE, SAGITTAL, CORONAL, OBLIQUE])
@pytest.mark.parametrize("step_mm", [2.5, -2.5])
@pytest.mark.parametrize("shuffled", [False, True])
def test_every_voxel_lies_where_its_own_slice_says(
    tmp_path: Path, orientation: tuple[float, ...], step_mm: float, shuffled: bool
) -> None:
    order = list(range(len(IMAGE)))
    if shuffled:
        random.Random(3).shuffle(order)
    folder = write_series(tmp_path, IMAGE, orientation=orientation, step_mm=step_mm, order=order)
    scan = read_scan(folder)
    expected = places_by_value(folder)
    indices = np.argwhere(np.ones(scan.image_kji.shape, dtype=bool))
    values = scan.image_kji.ravel().tolist()
    assert sorted(values) == sorted(expected)
    assert np.abs(scan.geometry.xyz_mm(indices) - [expected[v] for v in values]).max() < 1e-4


@pytest.mark.parametrize("orientation", [AXIAL, PRONE, SAGITTAL, OBLIQUE])
@pytest.mark.parametrize("step_mm", [2.5, -2.5])
def test_a_mask_lies_at_the_millimetres_of_the_slices(
    tmp_path: Path, orientation: tuple[float, ...], step_mm: float
) -> None:
    folder = write_series(tmp_path / "series", IMAGE, orientation=orientation, step_mm=step_mm)
    scan = read_scan(folder)
    inside = {-50, -49, -12, 30, 69}
    write_mask(tmp_path / "mask.nii.gz", np.isin(scan.image_kji, list(inside)).astype(np.uint8), scan.frame)
    mask = nibabel.load(tmp_path / "mask.nii.gz")
    found = nibabel.affines.apply_affine(LPS_TO_RAS @ mask.affine, np.argwhere(np.asarray(mask.dataobj)))
    expected = np.array([place for value, place in places_by_value(folder).items() if value in inside])
    assert len(found) == len(expected)
    distance = np.linalg.norm(found[:, None] - expected[None], axis=2)
    assert distance.min(axis=1).max() < 1e-3
    assert (mask.header["sform_code"], mask.header["qform_code"]) == (1, 1)


def test_each_slice_is_scaled_by_its_own_slope(tmp_path: Path) -> None:
    def scale(k: int, dataset: FileDataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{1 + k / 2}", "3"

    scan = read_scan(write_series(tmp_path, IMAGE, change=scale))
    slopes = (1 + np.arange(6) / 2)[:, None, None]
    assert np.array_equal(scan.image_kji, np.rint((IMAGE.astype(float) + 1024) * slopes + 3))


def test_objects_of_other_kinds_in_the_folder_are_left_out_and_noted(tmp_path: Path) -> None:
    folder = write_series(tmp_path, IMAGE)
    (folder / "notes.txt").write_text("no DICOM")
    plan = pydicom.dcmread(next(folder.glob("*.dcm")))
    plan.Modality, plan.SeriesInstanceUID = "RTSTRUCT", "1.2.3"
    plan.save_as(folder / "plan.dcm")
    scan = read_scan(folder)
    assert scan.image_kji.shape == IMAGE.shape
    assert "2 other files" in scan.notes[0]


def test_one_of_several_series_is_chosen_by_the_end_of_its_uid(tmp_path: Path) -> None:
    write_series(tmp_path / "a", IMAGE)
    write_series(tmp_path / "b", IMAGE[:, :3])
    with pytest.raises(errors.UnusableScan, match="2 series; choose one with --series") as refusal:
        read_scan(tmp_path)
    uid = str(pydicom.dcmread(next((tmp_path / "b").glob("*.dcm"))).SeriesInstanceUID)
    assert uid in refusal.value.message
    assert read_scan(tmp_path, series=uid[-6:]).image_kji.shape == (6, 3, 5)
    with pytest.raises(errors.UnusableScan, match="No series ends in 9-9"):
        read_scan(tmp_path, series="9-9")


def test_a_series_of_scouts_beside_the_scan_is_left_out(tmp_path: Path) -> None:
    def scout(k: int, dataset: FileDataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    write_series(tmp_path / "scan", IMAGE)
    write_series(tmp_path / "scouts", IMAGE[:2], orientation=CORONAL, change=scout)
    scan = read_scan(tmp_path)
    assert scan.image_kji.shape == IMAGE.shape
    assert "scout" in scan.notes[0]


def only(number: int, change: Callable[[FileDataset], None]) -> Callable[[int, FileDataset], None]:
    return lambda k, dataset: change(dataset) if k == number else None


def moved(axis: int, by_mm: float) -> Callable[[FileDataset], None]:
    def change(dataset: FileDataset) -> None:
        position = list(dataset.ImagePositionPatient)
        position[axis] = float(position[axis]) + by_mm
        dataset.ImagePositionPatient = position

    return change


def without(keyword: str) -> Callable[[FileDataset], None]:
    return lambda dataset: delattr(dataset, keyword)


def setting(keyword: str, value: object) -> Callable[[FileDataset], None]:
    return lambda dataset: setattr(dataset, keyword, value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (only(3, moved(2, 1.0)), r"0002\.dcm and 0003\.dcm lie 3\.50 mm apart"),
        (only(3, moved(2, 2.5)), r"0003\.dcm and 0004\.dcm lie at the same place"),
        (only(3, moved(0, 0.4)), r"0003\.dcm lies 0\.40 mm away"),
        (only(5, moved(1, -0.2)), r"0005\.dcm lies 0\.20 mm away"),
        (only(2, setting("ImageOrientationPatient", list(PRONE))), r"0002\.dcm points in another direction"),
        (only(4, setting("PixelSpacing", [0.8, 0.8])), r"0004\.dcm has another PixelSpacing"),
        (only(4, setting("FrameOfReferenceUID", "1.2.3")), r"0004\.dcm counts its position from another"),
        (only(1, without("ImagePositionPatient")), r"0001\.dcm has no ImagePositionPatient"),
        (only(1, without("ImageOrientationPatient")), r"0001\.dcm has no ImageOrientationPatient"),
        (only(1, without("PixelSpacing")), r"0001\.dcm has no PixelSpacing"),
        (only(1, setting("ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"])), r"0001\.dcm is a scout"),
        (only(1, setting("NumberOfFrames", 3)), r"0001\.dcm holds several frames"),
        (only(1, setting("SamplesPerPixel", 3)), r"0001\.dcm is a colour image"),
        (only(1, setting("RescaleSlope", "900")), r"0001\.dcm holds values"),
        (only(1, setting("PixelData", b"\0\0")), r"0001\.dcm is damaged"),
        (lambda k, d: setattr(d, "PixelSpacing", [0, 0.8]), r"0000\.dcm has a pixel or image size of 0"),
        (lambda k, d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]), "no pair of directions"),
        (lambda k, d: moved(1, 0.3 * k)(d), "tilted gantry"),
    ],
)
def test_what_is_no_regular_stack_is_refused_with_the_slices_name(
    tmp_path: Path, change: Callable[[int, FileDataset], None], sentence: str
) -> None:
    folder = write_series(tmp_path, IMAGE, change=change)
    with pytest.raises(errors.UnusableScan, match=sentence):
        read_scan(folder)


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = write_series(tmp_path, IMAGE)
    odd = pydicom.dcmread(folder / "0002.dcm")
    odd.Rows, odd.PixelData = 2, odd.PixelData[:20]
    odd.save_as(folder / "0002.dcm")
    with pytest.raises(errors.UnusableScan, match=r"0002\.dcm has another number of rows"):
        read_scan(folder)


def test_a_single_slice_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.UnusableScan, match=r"0000\.dcm is the only slice"):
        read_scan(write_series(tmp_path / "one", IMAGE[:1]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.UnusableScan, match="no DICOM slice"):
        read_scan(tmp_path / "empty")


def test_positions_rounded_to_a_hundredth_of_a_millimetre_are_taken(tmp_path: Path) -> None:
    def round_position(k: int, dataset: FileDataset) -> None:
        dataset.ImagePositionPatient = [round(float(v), 2) for v in dataset.ImagePositionPatient]

    scan = read_scan(write_series(tmp_path, IMAGE, step_mm=0.8333, change=round_position))
    assert scan.geometry.spacing_xyz_mm[2] == pytest.approx(0.8333, abs=0.003)


def test_pydicoms_own_regular_series_is_read_from_the_feet_up() -> None:
    scan = read_scan(PYDICOM_SERIES / "98892001" / "CT5N")
    assert scan.geometry.shape_kji == (5, 16, 16)
    assert scan.geometry.spacing_xyz_mm == pytest.approx((0.488281, 0.488281, 2.5))
    assert scan.geometry.origin_xyz_mm == pytest.approx((-72.199997, -143, -1.2375))


@pytest.mark.parametrize(
    ("series", "sentence"),
    [
        ("77654033/CT2", r"17106 and 17136 lie 202\.50 mm apart, where the others are 1\.25 mm apart"),
        ("98892003/MR700", "4528 points in another direction"),
        ("98892001/CT2N", "6293 is a scout image"),
        ("TINY_ALPHA", "IM000000 has no ImageOrientationPatient"),
        ("98892003", "7 series; choose one"),
    ],
)
def test_pydicoms_own_odd_series_are_refused(series: str, sentence: str) -> None:
    with pytest.raises(errors.UnusableScan, match=sentence):
        read_scan(PYDICOM_SERIES / series)


@needs_shared_data
def test_the_real_series_in_jpeg_2000_lies_where_its_labels_lie() -> None:
    scan = read_scan(SHARED_DATA / "ct_thorax_dicom")
    labels = read_scan(SHARED_DATA / "ct_thorax_dicom_labels.nii.gz")
    assert scan.geometry == labels.geometry
    # Vertebrae (32) are bone, and the stomach (6) is no air: only right places give that.
    assert np.median(scan.image_kji[labels.image_kji == 32]) > 120
    assert 30 < np.median(scan.image_kji[labels.image_kji == 5]) < 180
