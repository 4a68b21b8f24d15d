"""Resampling between grids, held against SimpleITK and against positions in millimetres."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import SimpleITK
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.backends.base import Channel
from segint_grpc.client.scan import Scan
from segint_grpc.client.scans import read_scan
from segint_grpc.domain.agreement import TURNS
from segint_grpc.domain.geometry import Geometry
from segint_grpc.preparation import grids
from segint_grpc.preparation.preparing import prepare, target_grid
from segint_grpc.preparation.resampling import Order, planes, resample, turn_between
from segint_grpc.service.gate.scans import tilted
from tests.scans_on_disk import SHARED_DATA, needs_shared_data
from tests.shapes import anisotropic, oblique

RANDOM: NDArray[np.int16] = np.random.default_rng(5).integers(-1000, 1000, (24, 33, 39)).astype(np.int16)
ITK = {
    Order.LINEAR: SimpleITK.sitkLinear,
    Order.NEAREST: SimpleITK.sitkNearestNeighbor,
    Order.CUBIC: SimpleITK.sitkBSpline3,
}


def itk_image(image_kji: NDArray[Any], geometry: Geometry) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(image_kji))
    image.SetSpacing(geometry.spacing_xyz_mm)
    image.SetOrigin(geometry.origin_xyz_mm)
    image.SetDirection(np.column_stack([geometry.x_axis, geometry.y_axis, geometry.z_axis]).ravel().tolist())
    return image


def itk(
    image_kji: NDArray[Any], source: Geometry, target: Geometry, order: Order, fill: float
) -> NDArray[Any]:
    resampler = SimpleITK.ResampleImageFilter()
    resampler.SetReferenceImage(itk_image(np.zeros(target.shape_kji, np.uint8), target))
    resampler.SetInterpolator(ITK[order])
    resampler.SetDefaultPixelValue(fill)
    resampler.SetOutputPixelType(SimpleITK.sitkFloat32)
    made: NDArray[Any] = SimpleITK.GetArrayFromImage(resampler.Execute(itk_image(image_kji, source)))
    return made


TARGETS = {
    "coarser": grids.respaced(anisotropic(), (4.0, 5.0, 6.0)),
    "finer": grids.respaced(anisotropic(), (1.0, 0.9, 1.1)),
    "turned and finer": grids.respaced(TURNS[29].geometry(anisotropic()), (1.5, 1.5, 1.5)),
    "beyond": grids.boxed(grids.respaced(anisotropic(), (2.0, 2.0, 2.0)), (-7, 11, -3), (40, 50, 45)),
    "oblique": grids.respaced(oblique(), (2.0, 2.0, 2.0)),
    "oblique and turned": TURNS[41].geometry(oblique()),
}


@pytest.mark.parametrize("order", [Order.LINEAR, Order.NEAREST])
@pytest.mark.parametrize("name", TARGETS)
def test_every_voxel_is_simpleitk_s(name: str, order: Order) -> None:
    ours = resample(RANDOM, anisotropic(), TARGETS[name], order, -1500)
    theirs = itk(RANDOM, anisotropic(), TARGETS[name], order, -1500)
    apart = np.abs(ours - theirs)
    # Where a position lies halfway between two voxels, or on the outer face of the last, rounding decides.
    assert np.mean(apart > 0.05) < (1e-4 if order is Order.LINEAR else 2e-3)
    assert ours.min() >= -1500


@pytest.mark.parametrize("name", TARGETS)
def test_a_cubic_spline_is_simpleitk_s_away_from_the_edge(name: str) -> None:
    target = TARGETS[name]
    smooth = np.cumsum(np.cumsum(RANDOM, axis=2), axis=1).astype(np.float32) / 50
    inner = resample(np.ones_like(RANDOM), anisotropic(), target, Order.LINEAR, 0) == 1
    ours = resample(smooth, anisotropic(), target, Order.CUBIC, 0)[inner]
    theirs = itk(smooth, anisotropic(), target, Order.CUBIC, 0)[inner]
    assert np.mean(np.abs(ours - theirs) > 2e-3 * np.ptp(smooth)) < 1e-4


def test_the_same_grid_gives_the_same_array_and_a_turned_one_a_view() -> None:
    assert np.shares_memory(resample(RANDOM, anisotropic(), anisotropic(), Order.LINEAR, 0), RANDOM)
    for turn in TURNS:
        turned = resample(RANDOM, anisotropic(), turn.geometry(anisotropic()), Order.CUBIC, 0)
        assert np.shares_memory(turned, RANDOM)
        assert np.array_equal(turned, turn.apply(RANDOM))
        assert turned.dtype == np.int16


@pytest.mark.parametrize("letters", ["LPS", "RAS", "SAL", "PIR"])
def test_columns_rows_and_slices_grow_to_the_letters(letters: str) -> None:
    for turn in TURNS:
        grid = target_grid(turn.geometry(oblique()), ScanHandling.Input(orientation=letters))
        for axis, letter in zip((grid.x_axis, grid.y_axis, grid.z_axis), letters, strict=True):
            assert np.dot(axis, grids.DIRECTIONS_XYZ[letter]) > 0.8


def test_a_straightened_grid_lies_along_the_patient_and_covers_the_scan() -> None:
    wanted = ScanHandling.Input(orientation="LPS", straighten=True, spacing_mm=[2, 2, 2])
    grid = target_grid(oblique(), wanted)
    assert (grid.x_axis, grid.y_axis, grid.z_axis) == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    corners = np.argwhere(np.ones((2, 2, 2))) * (np.array(oblique().shape_kji) - 1)
    inside = np.c_[corners, np.ones(8)] @ grids.index_map(grid, oblique()).T
    assert (inside[:, :3] > -0.5).all()
    assert (inside[:, :3] < np.array(grid.shape_kji) - 0.5).all()


def test_a_new_spacing_is_exact_and_its_grid_has_the_middle_and_the_extent_of_the_scan() -> None:
    grid = grids.respaced(anisotropic(), (0.0, 1.3, 5.0))
    assert grid.spacing_xyz_mm == (1.9, 1.3, 5.0)
    middles = [g.xyz_mm((np.array([g.shape_kji]) - 1) / 2)[0] for g in (grid, anisotropic())]
    np.testing.assert_allclose(middles[0], middles[1], atol=1e-9)
    extent = np.array(grid.shape_kji) * np.array(grid.spacing_xyz_mm[::-1])
    sent = np.array(anisotropic().shape_kji) * np.array(anisotropic().spacing_xyz_mm[::-1])
    assert (extent >= sent - 0.01).all()
    assert (extent < sent + np.array(grid.spacing_xyz_mm[::-1])).all()


def test_a_box_alone_gives_what_the_whole_gives_there() -> None:
    for target in (TARGETS["beyond"], TARGETS["oblique"]):
        whole = resample(RANDOM, anisotropic(), target, Order.LINEAR, 7)
        box = (slice(3, 9), slice(5, 21), slice(2, 30))
        for k, plane in planes(RANDOM, anisotropic(), target, Order.LINEAR, 7, box):
            np.testing.assert_allclose(plane, whole[k][box[1:]], atol=1e-3)


def test_directions_with_few_digits_still_count_as_the_same_axes() -> None:
    rough = tilted(anisotropic(), 33.0)
    vectors = [tuple(round(v, 4) for v in axis) for axis in (rough.x_axis, rough.y_axis, rough.z_axis)]
    grid = Geometry(rough.shape_kji, rough.spacing_xyz_mm, *vectors, rough.origin_xyz_mm)  # type: ignore[arg-type]
    turn = turn_between(grid, TURNS[17].geometry(grid))
    assert turn is not None
    assert turn.moves_only


@lru_cache
def real_scan(name: str) -> Scan:
    return read_scan(SHARED_DATA / name)


REAL = {
    "ct_thorax_dicom": ScanHandling.Input(orientation="LPS", spacing_mm=[1.5, 1.5, 1.5]),
    "ct_thorax_3mm.nii.gz": ScanHandling.Input(orientation="RAS", spacing_mm=[1.5, 2.0, 4.0]),
}


@needs_shared_data
@pytest.mark.parametrize("name", REAL)
def test_real_scans_are_prepared_as_simpleitk_would_and_go_back_as_it_would(name: str) -> None:
    """Differences: none above 0.01 HU in preparation; masks on the way back differ in no voxel."""
    scan = real_scan(name)
    prepared = prepare([Channel("ct", scan.image_kji, scan.geometry)], REAL[name])
    theirs = itk(scan.image_kji, scan.geometry, prepared.geometry, Order.LINEAR, float(scan.image_kji.min()))
    apart = np.abs(prepared.images[0] - theirs)
    assert apart.max() < 0.01
    bone = (prepared.images[0] > 150).astype(np.uint8)
    ours = resample(bone, prepared.geometry, scan.geometry, Order.LINEAR, 0)
    back = itk(bone, prepared.geometry, scan.geometry, Order.LINEAR, 0)
    # 1 in 100,000 voxels: positions at one half, which float32 rounds one way and double the other.
    assert np.mean((ours > 0.5) != (back > 0.5)) < 1e-5


@needs_shared_data
def test_a_real_scan_made_oblique_is_prepared_as_simpleitk_would() -> None:
    scan = real_scan("ct_thorax_3mm.nii.gz")
    geometry = tilted(scan.geometry, 12.0)
    wanted = ScanHandling.Input(orientation="LPS", straighten=True, spacing_mm=[3, 3, 3])
    prepared = prepare([Channel("ct", scan.image_kji, geometry)], wanted)
    theirs = itk(scan.image_kji, geometry, prepared.geometry, Order.LINEAR, float(scan.image_kji.min()))
    apart = np.abs(prepared.images[0] - theirs)
    # 3 in 100,000 voxels: those on the scan's outer faces, which belong to it for us and not for SimpleITK.
    assert np.mean(apart > 0.1) < 1e-4
