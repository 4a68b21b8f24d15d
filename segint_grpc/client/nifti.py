"""Reads a NIfTI file (NIfTI-1 and NIfTI-2) as a scan.

NIfTI's positions are RAS and its arrays indexed [i, j, k] in any of 48 signed axis orders. What is sent is
always the order nearest to that of an axial DICOM series (columns to the left, rows to the back, slices to
the head), so that a model sees the same patient however the file was stored; only whole axes are swapped
or counted backwards, no voxel is resampled. `FileOrder` takes masks back.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.client.calibration import Calibration
from segint_grpc.client.scan import (
    LPS_TO_RAS,
    FileOrder,
    NiftiFrame,
    Scan,
    nearest_order,
    reordered,
)
from segint_grpc.domain.geometry import geometry_from

MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
SHEAR_MAX = 1e-3
"""Largest cosine between two axes that still counts as a right angle (0.06 degrees)."""
FRAMES_AGREE_MM = 0.05


def read(path: Path) -> Scan:
    """Read the three-dimensional image at `path` (.nii, .nii.gz).

    Raises:
        UnusableScan: it cannot be read, has no or a sheared geometry, or voxels that do not fit int16.
    """
    image = _open(path)
    frame = _frame_of(image, path)
    millimetres = MM_PER_UNIT[frame.unit]
    affine = LPS_TO_RAS @ np.diag((millimetres, millimetres, millimetres, 1.0)) @ frame.sform
    _check_axes(affine, path)
    order = nearest_order(affine)
    calibration = Calibration()
    image_kji = _calibrated(calibration, order.to_scan(_voxels(image, path)), image.dataobj, path)
    depth, height, width = image_kji.shape
    geometry = geometry_from(reordered(affine, order, (width, height, depth)), (depth, height, width))
    notes = _notes(frame, image.shape[:3], millimetres) + calibration.notes
    return Scan(image_kji, geometry, dataclasses.replace(frame, order=order), str(path), notes)


def _open(path: Path) -> Any:
    try:
        image: Any = nibabel.load(path)
    except (ImageFileError, HeaderDataError, OSError, EOFError) as error:
        raise errors.UnusableScan(f"{path} cannot be read as NIfTI: {error}") from None
    if image.ndim < 3 or any(length != 1 for length in image.shape[3:]):
        raise errors.UnusableScan(f"{path} has the shape {image.shape}; one volume of three axes is needed.")
    if 0 in image.shape:
        raise errors.UnusableScan(f"{path} holds no voxels: its shape is {image.shape}.")
    if image.dataobj.dtype.kind not in "iuf":
        raise errors.UnusableScan(f"{path} holds {image.dataobj.dtype} voxels; plain numbers are needed.")
    return image


def _voxels(image: Any, path: Path) -> NDArray[np.generic]:
    try:
        stored: NDArray[np.generic] = np.asarray(image.dataobj.get_unscaled())
    except (OSError, EOFError, ValueError) as error:
        raise errors.UnusableScan(f"{path} is damaged: {error}") from None
    return stored.reshape(image.shape[:3])


def _calibrated(
    calibration: Calibration, stored_kji: NDArray[np.generic], scaling: Any, path: Path
) -> NDArray[np.int16]:
    image_kji = np.empty(stored_kji.shape, dtype=np.int16)
    for k, plane in enumerate(stored_kji):
        image_kji[k] = calibration.to_int16(plane, scaling.slope, scaling.inter, path.name)
    return image_kji


def _frame_of(image: Any, path: Path) -> NiftiFrame:
    header = image.header
    sform, sform_code = image.get_sform(coded=True)
    qform, qform_code = image.get_qform(coded=True)
    if not sform_code and not qform_code:
        raise errors.UnusableScan(
            f"{path} does not say where its voxels lie: its sform_code and qform_code are both 0. "
            "Export it again with its geometry."
        )
    unit = header.get_xyzt_units()[0]
    affine = sform if sform_code else qform
    return NiftiFrame(affine, qform, int(sform_code), int(qform_code), unit, FileOrder())


def _check_axes(affine: NDArray[np.float64], path: Path) -> None:
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or (lengths < 1e-6).any():
        raise errors.UnusableScan(
            f"{path} has voxels of {lengths.tolist()} mm; all three must be above zero."
        )
    axes = affine[:3, :3] / lengths
    for one, other in itertools.combinations(range(3), 2):
        cosine = abs(float(axes[:, one] @ axes[:, other]))
        if cosine > SHEAR_MAX:
            angle = float(np.degrees(np.arccos(min(cosine, 1.0))))
            raise errors.UnusableScan(
                f"{path} is sheared: its axes {'ijk'[one]} and {'ijk'[other]} meet at {angle:.2f} degrees "
                "and not 90. Resample it to right angles first."
            )


def _notes(frame: NiftiFrame, shape_ijk: tuple[int, ...], millimetres: float) -> tuple[str, ...]:
    if frame.qform is None or not frame.sform_code or not frame.qform_code:
        return ()
    ends = [(0, length - 1) for length in shape_ijk]
    corners = np.array(list(itertools.product(*ends, (1,))), dtype=np.float64)
    apart = np.linalg.norm(corners @ (frame.sform - frame.qform).T, axis=1).max() * millimetres
    if apart <= FRAMES_AGREE_MM:
        return ()
    return (
        f"The file's two frames (sform and qform) lie up to {apart:.1f} mm apart; the sform is used, "
        "and the masks carry both as the scan does.",
    )
