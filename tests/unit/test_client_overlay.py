"""The picture shows each side where its letter says, in square pixels, however the scan is stored."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from generated.radiomics import Model_pb2
from segint_grpc.client.masks import Mask
from segint_grpc.client.overlay import FRAME, HEADLINE, MARGIN, draw_overlay
from segint_grpc.client.overlay_views import View, cut_views
from segint_grpc.client.scan import FileOrder, Scan, frame_of, reordered
from segint_grpc.domain.geometry import Geometry, geometry_from

SHAPE = (12, 20, 30)
SPACING = (2.0, 3.0, 5.0)
ORDERS = [
    FileOrder(axes, flips)  # type: ignore[arg-type]
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


def structure(name: str, color: tuple[int, int, int]) -> Model_pb2.Structure:
    return Model_pb2.Structure(Name=name, Color=Model_pb2.ColorRGB(R=color[0], G=color[1], B=color[2]))


def head_right_front() -> NDArray[np.int16]:
    """A body of water whose part to the patient's head, right and front is bone."""
    image = np.zeros(SHAPE, np.int16)
    image[0, 0, 0] = -1000
    image[SHAPE[0] // 2 :, : SHAPE[1] // 2, : SHAPE[2] // 2] = 240
    return image


def stored(image_zyx: NDArray[np.int16], order: FileOrder) -> Scan:
    """The same patient, with the array in another order and the geometry that belongs to it."""
    geometry = Geometry(SHAPE, SPACING, (1, 0, 0), (0, 1, 0), (0, 0, 1), (10.0, -20.0, 300.0))
    back = FileOrder(tuple(order.axes.index(n) for n in range(3)), tuple(order.flipped))  # type: ignore[arg-type]
    array_ijk = order.to_file(image_zyx)
    inverse = FileOrder(back.axes, tuple(order.flipped[back.axes[n]] for n in range(3)))  # type: ignore[arg-type]
    affine = reordered(geometry.affine, inverse, array_ijk.shape)  # type: ignore[arg-type]
    image_kji = np.ascontiguousarray(array_ijk.transpose(2, 1, 0))
    placed = geometry_from(affine, image_kji.shape)  # type: ignore[arg-type]
    return Scan(image_kji, placed, frame_of(placed), "made for a test")


def mask_of(scan: Scan, above: int = 200) -> Mask:
    return Mask(structure("bone", (255, 0, 0)), (scan.image_kji > above).astype(np.uint8), scan)


@pytest.mark.parametrize("order", ORDERS)
def test_the_views_are_the_same_in_any_order_of_storage(order: FileOrder) -> None:
    plain = stored(head_right_front(), FileOrder())
    scan = stored(head_right_front(), order)
    bone = np.argwhere(scan.image_kji > 200)
    assert np.allclose(
        scan.geometry.xyz_mm(bone).mean(axis=0),
        plain.geometry.xyz_mm(np.argwhere(plain.image_kji > 200)).mean(axis=0),
    )
    for view, expected in zip(
        cut_views(scan, [mask_of(scan)]), cut_views(plain, [mask_of(plain)]), strict=True
    ):
        assert view.title == expected.title
        assert view.letters == expected.letters
        assert view.pixel_mm == pytest.approx(expected.pixel_mm)
        assert np.array_equal(view.gray, expected.gray)
        assert np.array_equal(view.masks[0], expected.masks[0])


def centre(view: View) -> tuple[float, float]:
    """The mask's centre in the view: 0 to 1 from the top, 0 to 1 from the left."""
    rows, columns = np.nonzero(view.masks[0])
    return float(rows.mean() / view.gray.shape[0]), float(columns.mean() / view.gray.shape[1])


def test_right_front_and_head_are_drawn_where_the_letters_say() -> None:
    scan = stored(head_right_front(), FileOrder())
    axial, coronal, sagittal = cut_views(scan, [mask_of(scan)])
    assert [view.letters for view in (axial, coronal, sagittal)] == [
        ("R", "L", "A", "P"),
        ("R", "L", "H", "F"),
        ("A", "P", "H", "F"),
    ]
    for view in (axial, coronal, sagittal):
        down, right = centre(view)
        assert down < 0.4  # at the top: front, head, head
        assert right < 0.4  # at the left: right, right, front


def test_the_planes_go_through_the_masks_even_where_their_centre_lies_between_them() -> None:
    image = head_right_front()
    scan = stored(image, FileOrder())
    inside = np.zeros(SHAPE, np.uint8)
    inside[1, 2, 3] = inside[10, 17, 26] = 1
    views = cut_views(scan, [Mask(structure("two spots", (0, 255, 0)), inside, scan)])
    assert all(view.masks[0].any() for view in views)


@pytest.mark.parametrize("image", [np.zeros(SHAPE, np.int16), np.full(SHAPE, 500, np.int16)])
def test_a_scan_of_one_value_and_empty_masks_can_be_drawn(tmp_path: Path, image: NDArray[np.int16]) -> None:
    scan = stored(image, FileOrder())
    empty = Mask(structure("nothing", (0, 0, 0)), np.zeros(SHAPE, np.uint8), scan)
    draw_overlay(tmp_path / "overlay.png", scan, [empty], "A model")
    draw_overlay(tmp_path / "bare.png", scan, [], "A model")
    assert (tmp_path / "bare.png").stat().st_size > 1000


def test_the_picture_has_square_pixels_and_the_contour_at_the_masks_border(tmp_path: Path) -> None:
    image = np.zeros(SHAPE, np.int16)
    image[0, 0, 0] = -1000
    scan = stored(image, FileOrder())
    inside = np.zeros(SHAPE, np.uint8)
    inside[6, 5:10, 3:18] = 1  # 15 columns of 2 mm by 5 rows of 3 mm: 30 mm by 15 mm
    draw_overlay(
        tmp_path / "overlay.png", scan, [Mask(structure("box", (255, 0, 0)), inside, scan)], "A model"
    )
    with Image.open(tmp_path / "overlay.png") as file:
        picture = np.asarray(file.convert("RGB")).astype(int)
    axial = picture[HEADLINE + FRAME :, MARGIN + FRAME : MARGIN + FRAME + 720]
    red = (axial[..., 0] > 180) & (axial[..., 1] < 90)
    rows, columns = np.nonzero(red[:680])
    width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
    assert width / height == pytest.approx(2.0, rel=0.02)
    # 60 mm are drawn 680 px high. Columns 3 to 17 are 6 mm to 36 mm, rows 5 to 9 are 15 mm to 30 mm.
    px_per_mm = 680 / 60
    assert columns.min() == pytest.approx(6 * px_per_mm, abs=2)
    assert columns.max() == pytest.approx(36 * px_per_mm, abs=2)
    assert rows.min() == pytest.approx(15 * px_per_mm, abs=2)
    assert rows.max() == pytest.approx(30 * px_per_mm, abs=2)


def test_many_structures_with_long_names_find_room_in_the_legend(tmp_path: Path) -> None:
    scan = stored(head_right_front(), FileOrder())
    masks = [
        Mask(
            structure(f"structure {n} with a name that goes on and on", (n, 200, 255 - n)),
            mask_of(scan).mask_kji,
            scan,
        )
        for n in range(60)
    ]
    draw_overlay(tmp_path / "overlay.png", scan, masks, "A model")
    with Image.open(tmp_path / "overlay.png") as file:
        width, height = file.size
    assert width < 1600
    assert height < 1600
