"""A scan as the client holds it: voxels, where they lie, and how to go back to the file's own order."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry

LPS_TO_RAS = np.diag((-1.0, -1.0, 1.0, 1.0))
"""Turns positions from DICOM's frame into NIfTI's; it is its own inverse."""


@dataclass(frozen=True)
class FileOrder:
    """How the scan's [k, j, i] array was made from the file's array.

    Attributes:
        axes: for the file's axes 0, 1, 2 (NIfTI's i, j, k): which scan axis each one is, x = 0, y = 1, z = 2.
        flipped: for the file's axes 0, 1, 2: whether the scan counts it from the other end.
    """

    axes: tuple[int, int, int] = (0, 1, 2)
    flipped: tuple[bool, bool, bool] = (False, False, False)

    def to_scan(self, array_file: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a view, indexed [k, j, i], of an array in the file's order."""
        straight = array_file[self._slices()]
        return straight.transpose([self.axes.index(axis) for axis in (2, 1, 0)])

    def to_file(self, array_kji: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a view, in the file's order, of an array indexed [k, j, i]; undoes `to_scan`."""
        return array_kji.transpose([2 - axis for axis in self.axes])[self._slices()]

    def _slices(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1) if flipped else slice(None) for flipped in self.flipped)


@dataclass(frozen=True)
class NiftiFrame:
    """The coordinate frame that a NIfTI file of this scan's masks gets, so that it overlays the scan.

    Attributes:
        sform: 4×4, the file's (i, j, k, 1) to RAS, in the file's unit.
        qform: the same by the header's quaternion, or None where the scan's file has none.
        sform_code, qform_code: the NIfTI codes of those frames.
        unit: NIfTI's word for the file's unit of length: "mm", "meter", "micron" or "unknown".
    """

    sform: NDArray[np.float64]
    qform: NDArray[np.float64] | None
    sform_code: int
    qform_code: int
    unit: str
    order: FileOrder


@dataclass(frozen=True)
class Scan:
    """A volume ready to be sent.

    Attributes:
        image_kji: int16, indexed [k, j, i]; Hounsfield units where the modality is CT.
        geometry: where its voxels lie, LPS, millimetres.
        frame: how masks are written beside the scan's own file.
        source: what it was read from, for a person; holds no patient data but the path.
        notes: what the reader noticed and the user should know.
    """

    image_kji: NDArray[np.int16]
    geometry: Geometry
    frame: NiftiFrame
    source: str
    notes: tuple[str, ...] = ()


def frame_of(geometry: Geometry) -> NiftiFrame:
    """Return the NIfTI frame of a scan that comes from no NIfTI file: scanner coordinates, millimetres."""
    affine = LPS_TO_RAS @ geometry.affine
    return NiftiFrame(sform=affine, qform=affine, sform_code=1, qform_code=1, unit="mm", order=FileOrder())


def nearest_order(affine_lps: NDArray[np.float64]) -> FileOrder:
    """Return the order in which an array with this affine comes nearest to x left, y back, z up."""
    axes = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)

    def alikeness(order: tuple[int, ...]) -> float:
        return sum(abs(float(axes[scan_axis, n])) for n, scan_axis in enumerate(order))

    a, b, c = max(itertools.permutations(range(3)), key=alikeness)
    i, j, k = (bool(axes[scan_axis, n] < 0) for n, scan_axis in enumerate((a, b, c)))
    return FileOrder((a, b, c), (i, j, k))


def reordered(
    affine_lps: NDArray[np.float64], order: FileOrder, shape_xyz: tuple[int, int, int]
) -> NDArray[np.float64]:
    """Return the affine of an array after `order.to_scan`; `shape_xyz` is the shape it then has."""
    result = affine_lps.copy()
    for n, scan_axis in enumerate(order.axes):
        step = affine_lps[:3, n]
        result[:3, scan_axis] = -step if order.flipped[n] else step
        if order.flipped[n]:
            result[:3, 3] += step * (shape_xyz[scan_axis] - 1)
    return result
