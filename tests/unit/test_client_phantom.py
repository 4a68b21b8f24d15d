"""The project's own CT is the same each time, asymmetric as a patient is, and survives the trip to a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segint_grpc.client.phantom import make_phantom, write_phantom
from segint_grpc.client.scan import Scan
from segint_grpc.client.scans import read_scan

SMALL = (24, 96, 128)


@pytest.fixture(scope="module")
def phantom() -> Scan:
    return make_phantom(SMALL)


def centre_mm(scan: Scan, low: int, high: int) -> np.ndarray:
    middle = np.array(scan.geometry.shape_kji) / 2
    inside = np.argwhere((scan.image_kji >= low) & (scan.image_kji <= high))
    return scan.geometry.xyz_mm(inside).mean(axis=0) - scan.geometry.xyz_mm(middle[None])[0]


def test_the_same_seed_gives_the_same_voxels_and_another_seed_other_noise(phantom: Scan) -> None:
    assert np.array_equal(make_phantom(SMALL).image_kji, phantom.image_kji)
    assert not np.array_equal(make_phantom(SMALL, seed=8).image_kji, phantom.image_kji)


def test_it_holds_air_fat_soft_tissue_and_bone_in_hounsfield_units(phantom: Scan) -> None:
    image = phantom.image_kji
    shares = [
        np.mean((image >= low) & (image <= high)) for low, high in ((-1024, -700), (-150, -60), (30, 130))
    ]
    assert all(share > 0.05 for share in shares)
    assert np.mean(image > 250) > 0.005
    assert image.dtype == np.int16


def test_the_liver_is_on_the_right_lungs_are_up_and_the_spine_is_at_the_back(phantom: Scan) -> None:
    assert centre_mm(phantom, 95, 118)[0] < -20
    assert centre_mm(phantom, -900, -780)[2] > 30
    assert centre_mm(phantom, 350, 500)[1] > 20


def test_it_is_read_back_from_its_file_at_the_same_place(tmp_path: Path, phantom: Scan) -> None:
    write_phantom(tmp_path / "phantom.nii.gz", SMALL)
    scan = read_scan(tmp_path / "phantom.nii.gz")
    assert np.array_equal(scan.image_kji, phantom.image_kji)
    corners = np.array([[0, 0, 0], [23, 95, 127]])
    assert np.allclose(scan.geometry.xyz_mm(corners), phantom.geometry.xyz_mm(corners), atol=1e-3)
