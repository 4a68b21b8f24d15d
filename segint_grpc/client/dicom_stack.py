"""Whether DICOM slices form one regular, upright stack, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry, geometry_from

GEOMETRY_TAGS = {
    "ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2, "Rows": 1, "Columns": 1,
}  # fmt: skip
PLACE_TOLERANCE_MM = 0.05
"""How far a slice may lie from where a regular stack has it; positions are often rounded to 0.01 mm."""
SAME_PLACE_MM = 0.01
DIRECTION_TOLERANCE = 1e-3
ALIKE_TOLERANCE = 1e-4
"""How much direction and pixel spacing may differ between slices: 0.05 mm at the far end of 500 mm."""


@dataclass(frozen=True)
class Slice:
    """One file of a series: its path and the attributes that `dicom.HEADER_TAGS` names."""

    path: Path
    header: pydicom.Dataset

    @property
    def name(self) -> str:
        """The file's name, which every refusal gives."""
        return self.path.name

    @property
    def scout(self) -> bool:
        """True for a scout or localizer: a projection that is no slice of a volume."""
        return "LOCALIZER" in (self.header.get("ImageType") or ())

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.header.Rows), int(self.header.Columns)

    @cached_property
    def orientation(self) -> NDArray[np.float64]:
        """The directions along which columns and rows are counted: shape (2, 3), LPS."""
        return np.array(self.header.ImageOrientationPatient, dtype=np.float64).reshape(2, 3)

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """The centre of the first voxel: shape (3,), LPS, mm."""
        return np.array(self.header.ImagePositionPatient, dtype=np.float64)

    @cached_property
    def pixel_spacing(self) -> NDArray[np.float64]:
        """Distance between rows, then between columns, in mm (PS3.3 10.7.1.3): shape (2,)."""
        return np.array(self.header.PixelSpacing, dtype=np.float64)


def stack(slices: Sequence[Slice]) -> tuple[list[Slice], Geometry]:
    """Return the slices in order along their normal, and the geometry of the volume they make.

    Raises:
        UnusableScan: geometry is missing or differs, slices are missing, doubled or shifted; names one.
    """
    for piece in slices:
        _check_complete(piece)
    for piece in slices[1:]:
        _check_alike(slices[0], piece)
    if len(slices) == 1:
        raise errors.UnusableScan(
            f"{slices[0].name} is the only slice of its series, and one slice is no volume."
        )
    x_axis, y_axis = _right_angled(slices[0])
    normal = np.cross(x_axis, y_axis)
    ordered = sorted(slices, key=lambda piece: float(piece.position @ normal))
    _check_steps(ordered, normal)
    step = _check_places(ordered, normal)
    rows_mm, columns_mm = slices[0].pixel_spacing
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack((x_axis * columns_mm, y_axis * rows_mm, normal * step))
    affine[:3, 3] = ordered[0].position
    return ordered, geometry_from(affine, (len(ordered), *slices[0].size))


def _check_complete(piece: Slice) -> None:
    if piece.scout:
        raise errors.UnusableScan(
            f"{piece.name} is a scout image (Image Type LOCALIZER) and no slice of a volume. "
            "Give a folder with axial slices."
        )
    if int(piece.header.get("NumberOfFrames") or 1) > 1:
        raise errors.UnusableScan(
            f"{piece.name} holds several frames (enhanced DICOM), which is not read. Export single slices."
        )
    for keyword, count in GEOMETRY_TAGS.items():
        value = piece.header.get(keyword)
        if value is None or (count > 1 and len(value or ()) != count):
            raise errors.UnusableScan(f"{piece.name} has no {keyword}: nobody can tell where it lies.")
    if int(piece.header.get("SamplesPerPixel") or 1) != 1:
        raise errors.UnusableScan(f"{piece.name} is a colour image and no slice of a scan.")
    if 0 in piece.size or not (np.isfinite(piece.pixel_spacing) & (piece.pixel_spacing > 0)).all():
        raise errors.UnusableScan(f"{piece.name} has a pixel or image size of 0.")


def _check_alike(first: Slice, piece: Slice) -> None:
    differing = None
    if np.abs(piece.orientation - first.orientation).max() > ALIKE_TOLERANCE:
        differing = "points in another direction (ImageOrientationPatient)"
    elif piece.size != first.size:
        differing = f"has another number of rows or columns ({piece.size}, not {first.size})"
    elif np.abs(piece.pixel_spacing / first.pixel_spacing - 1).max() > ALIKE_TOLERANCE:
        differing = "has another PixelSpacing"
    elif piece.header.get("FrameOfReferenceUID") != first.header.get("FrameOfReferenceUID"):
        differing = "counts its position from another point (FrameOfReferenceUID)"
    if differing:
        raise errors.UnusableScan(
            f"Slice {piece.name} {differing} than {first.name}: they are no one volume."
        )


def _right_angled(piece: Slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x_axis, y_axis = piece.orientation
    lengths = np.linalg.norm(piece.orientation, axis=1)
    usable = np.isfinite(lengths).all() and np.abs(lengths - 1).max() <= DIRECTION_TOLERANCE
    if not usable or abs(float(x_axis @ y_axis)) > DIRECTION_TOLERANCE:
        raise errors.UnusableScan(
            f"{piece.name} has an ImageOrientationPatient that is no pair of directions at right angles."
        )
    # Directions are stored with few digits: over 500 mm, an error of 1e-3 would be half a millimetre.
    x_axis = x_axis / lengths[0]
    y_axis = y_axis - x_axis * (x_axis @ y_axis)
    return x_axis, y_axis / np.linalg.norm(y_axis)


def _check_steps(ordered: Sequence[Slice], normal: NDArray[np.float64]) -> None:
    steps = np.diff([float(piece.position @ normal) for piece in ordered])
    closest = int(steps.argmin())
    if steps[closest] < SAME_PLACE_MM:
        raise errors.UnusableScan(
            f"Slices {_pair(ordered, closest)} lie at the same place; "
            "the folder holds a slice twice, or several phases of one series."
        )
    usual = _usual(steps)
    oddest = int(np.abs(steps - usual).argmax())
    if abs(steps[oddest] - usual) > 2 * PLACE_TOLERANCE_MM:
        raise errors.UnusableScan(
            f"Slices {_pair(ordered, oddest)} lie {steps[oddest]:.2f} mm apart, where the others are "
            f"{usual:.2f} mm apart: slices are missing or unevenly spaced. Export the whole series."
        )


def _usual(steps: NDArray[np.float64]) -> float:
    tenths, counts = np.unique(np.round(steps, 1), return_counts=True)
    return float(np.median(steps[np.round(steps, 1) == tenths[counts.argmax()]]))


def _pair(ordered: Sequence[Slice], first: int) -> str:
    return f"{ordered[first].name} and {ordered[first + 1].name}"


def _check_places(ordered: Sequence[Slice], normal: NDArray[np.float64]) -> float:
    """Return the distance between slices in mm once each has been found where a regular stack has it."""
    places = np.array([piece.position for piece in ordered]) - ordered[0].position
    step = float(places[-1] @ normal) / (len(ordered) - 1)
    astray = np.linalg.norm(places - np.outer(np.arange(len(ordered)) * step, normal), axis=1)
    worst = int(astray.argmax())
    if astray[worst] > PLACE_TOLERANCE_MM:
        raise errors.UnusableScan(
            f"Slice {ordered[worst].name} lies {astray[worst]:.2f} mm away from where a regular, upright "
            "stack has it (a tilted gantry or uneven steps). Resample the series first."
        )
    return step
