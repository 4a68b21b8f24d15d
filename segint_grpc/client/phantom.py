"""A CT that the project draws itself: a thorax and upper abdomen, so that a demo needs nobody's scan.

Positions are LPS in mm around the middle of the body: x to the patient's left, y to the back, z to the
head. Nothing about it is symmetric: liver and gallbladder are on the right, heart, stomach and spleen on
the left, so that a mirrored picture is seen at once. The same seed gives the same voxels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from segint_grpc.client.scan import Scan, frame_of
from segint_grpc.domain.geometry import Geometry

Plane = NDArray[np.float32]
Inside = NDArray[np.bool_]

EXTENT_XYZ_MM = (400.0, 300.0, 240.0)
ORIGIN_SHIFT_XYZ_MM = (6.5, -171.0, -812.5)
"""Where the middle of the drawing lies in the patient's frame: off zero, as in a scanner."""
NOISE_HU = 14.0
AIR, FAT, MUSCLE, LUNG = -1000.0, -105.0, 52.0, -835.0


def make_phantom(shape_kji: tuple[int, int, int] = (60, 192, 256), seed: int = 7) -> Scan:
    """Draw the phantom as a scan of `shape_kji` slices, rows and columns, in HU."""
    depth, height, width = shape_kji
    spacing = [extent / n for extent, n in zip(EXTENT_XYZ_MM, (width, height, depth), strict=True)]
    x, y, z = (
        (np.arange(n, dtype=np.float32) - (n - 1) / 2) * step
        for n, step in zip((width, height, depth), spacing, strict=True)
    )
    random = np.random.default_rng(seed)
    image_kji = np.empty(shape_kji, dtype=np.int16)
    for k in range(depth):
        plane = _blurred(_draw(x[None, :], y[:, None], float(z[k])))
        grain = _blurred(random.standard_normal(plane.shape, dtype=np.float32)) * (NOISE_HU / 0.375)
        image_kji[k] = np.clip(np.rint(plane + grain), -1024, 3071)
    geometry = Geometry(
        shape_kji=shape_kji,
        spacing_xyz_mm=(spacing[0], spacing[1], spacing[2]),
        x_axis=(1.0, 0.0, 0.0),
        y_axis=(0.0, 1.0, 0.0),
        z_axis=(0.0, 0.0, 1.0),
        origin_xyz_mm=(
            float(x[0]) + ORIGIN_SHIFT_XYZ_MM[0],
            float(y[0]) + ORIGIN_SHIFT_XYZ_MM[1],
            float(z[0]) + ORIGIN_SHIFT_XYZ_MM[2],
        ),
    )
    return Scan(image_kji, geometry, frame_of(geometry), "the project's own CT phantom")


def write_phantom(path: Path, shape_kji: tuple[int, int, int] = (60, 192, 256), seed: int = 7) -> None:
    """Write the phantom to `path` (.nii.gz) as a NIfTI file in HU."""
    scan = make_phantom(shape_kji, seed)
    new_image: Any = nibabel.Nifti1Image
    open_gzip: Any = igzip.open
    image = new_image(scan.frame.order.to_file(scan.image_kji), scan.frame.sform, dtype=np.int16)
    image.set_sform(scan.frame.sform, code=scan.frame.sform_code)
    image.set_qform(scan.frame.qform, code=scan.frame.qform_code)
    image.header.set_xyzt_units(scan.frame.unit)
    with open_gzip(path, "wb", compresslevel=1) as stream:
        image.to_stream(stream)


def _draw(x: Plane, y: Plane, z: float) -> Plane:
    """Return the HU of the slice at height `z`; x has shape (1, columns), y has shape (rows, 1)."""
    depth = _ellipse(x, y, 0, 0, 172 + 4 * np.sin(z / 60), 116 + 3 * np.cos(z / 45))
    hu = np.where(depth < 1, np.float32(FAT), np.float32(AIR))
    _couch(hu, x, y)
    hu[depth < 0.88] = MUSCLE
    hu[_muscle_fat(x, y)] = FAT
    cavity = _ellipse(x, y, 0, -6, 138, 86)
    hu[cavity < 1] = -85  # fat between the organs
    _abdomen(hu, x, y, z, cavity)
    _chest(hu, x, y, z, cavity)
    _vessels(hu, x, y, z)
    _skeleton(hu, x, y, z, cavity)
    return hu


def _muscle_fat(x: Plane, y: Plane) -> Inside:
    """Thin layers of fat that part the muscles beside the spine."""
    beside = np.hypot((np.abs(x) - 44) / 34, (y - 88) / 17)
    return np.asarray((beside > 0.92) & (beside < 1.02) & (y > 72), dtype=np.bool_)


def _couch(hu: Plane, x: Plane, y: Plane) -> None:
    surface = y - 136 + (x / 200) ** 2 * 26
    hu[(np.abs(surface) < 3.5) & (np.abs(x) < 190)] = 30
    hu[(surface > 3.5) & (surface < 11) & (np.abs(x) < 190)] = -930


def _diaphragm_mm(x: Plane, y: Plane) -> Plane:
    """Height of the diaphragm: two domes, the right one, over the liver, higher."""
    right = 46 * np.exp(-(((x + 72) / 62) ** 2) - ((y + 12) / 75) ** 2)
    left = 30 * np.exp(-(((x - 74) / 58) ** 2) - ((y + 10) / 75) ** 2)
    return np.asarray(-8 + right + left, dtype=np.float32)


def _abdomen(hu: Plane, x: Plane, y: Plane, z: float, cavity: Plane) -> None:
    below = (cavity < 0.97) & (z < _diaphragm_mm(x, y))
    liver = (_ellipsoid(x, y, z, -66, -14, -18, 76, 82, 84) < 1) | (
        _ellipsoid(x, y, z, 4, -46, 0, 66, 36, 44) < 1
    )
    hu[below & liver] = 108
    hu[_ellipsoid(x, y, z, -58, -62, -62, 17, 21, 26) < 1] = 8  # gallbladder
    spleen = (_ellipsoid(x, y, z, 104, 30, -22, 29, 44, 50) < 1) & ~(
        _ellipsoid(x, y, z, 76, 14, -22, 26, 34, 60) < 1
    )
    hu[below & spleen] = 122
    stomach = below & (_ellipsoid(x, y, z, 66, -34, -26, 44, 38, 52) < 1) & ~(below & liver & (x < 24))
    hu[stomach] = 48
    content = stomach & (_ellipsoid(x, y, z, 66, -34, -26, 39, 33, 47) < 1)
    hu[content] = 22
    hu[content & (y < -44)] = -940  # gas lies in front of the fluid: the patient lies on the back
    _kidney(hu, x, y, z, -62, 42, -82)
    _kidney(hu, x, y, z, 66, 40, -66)
    for n, (bx, by, bz) in enumerate(((-40, -48, -108), (8, -58, -112), (52, -50, -104), (96, -18, -110))):
        bowel = _ellipsoid(x, y, z, bx, by, bz, 25, 20, 26)
        hu[bowel < 1] = 40
        hu[bowel < 0.74] = -870 if n % 2 else 18


def _kidney(hu: Plane, x: Plane, y: Plane, z: float, cx: float, cy: float, cz: float) -> None:
    inward = cx - np.sign(cx) * 14
    hu[_ellipsoid(x, y, z, cx, cy, cz, 27, 25, 50) < 1] = 178
    hu[_ellipsoid(x, y, z, inward, cy - 3, cz, 15, 12, 27) < 1] = -70


def _chest(hu: Plane, x: Plane, y: Plane, z: float, cavity: Plane) -> None:
    above = z >= _diaphragm_mm(x, y)
    right = _ellipsoid(x, y, z, -74, -4, 4, 62, 82, 165) < 1
    left = _ellipsoid(x, y, z, 76, 2, 4, 58, 80, 162) < 1
    lung = above & (right | left) & (cavity < 0.95)
    vessels = np.sin(x / 5.1 + z / 7) * np.sin(y / 4.3 - z / 9) * np.sin((x + y) / 8.7)
    hu[lung] = LUNG
    hu[lung & (vessels > 0.5)] = 20
    heart = above & (_ellipsoid(x, y, z, 26, -36, 34, 64, 46, 58) < 1)
    hu[heart] = 60
    hu[heart & (_ellipsoid(x, y, z, 44, -36, 28, 30, 24, 36) < 1)] = 168  # left ventricle
    hu[heart & (_ellipsoid(x, y, z, -6, -44, 38, 24, 26, 34) < 1)] = 150  # right atrium
    trachea = np.hypot(x + 3, y - 6)
    if z > 88:
        hu[trachea < 12] = 40
        hu[trachea < 9.5] = -985
    hu[np.hypot(x - 4, y - 24) < 8] = 42  # oesophagus


def _vessels(hu: Plane, x: Plane, y: Plane, z: float) -> None:
    hu[np.hypot(x - 20 + 10 * np.cos(z / 95), y - 34) < 12.5] = 196  # aorta
    if z < 40:
        hu[_ellipse(x, y, -24, 26, 13, 10) < 1] = 142  # inferior vena cava


def _skeleton(hu: Plane, x: Plane, y: Plane, z: float, cavity: Plane) -> None:
    in_disc = (z % 32) < 6
    body = _ellipse(x, y, 0, 62, 22, 17)
    hu[body < 1] = 92 if in_disc else 430
    if not in_disc:
        hu[body < 0.84] = 205
    arch = (np.hypot(x, y - 86) < 15) | ((np.abs(y - 84) < 5) & (np.abs(x) < 34) & ((z % 32) > 18))
    hu[arch] = 380
    if (z % 32) > 10:
        hu[(np.abs(x) < 3.5) & (y > 96) & (y < 114)] = 360
    hu[np.hypot(x, y - 86) < 9.5] = 28  # spinal canal
    slanted = (z + 0.42 * (y + 100) + 260) % 27
    rib = (cavity > 1.0) & (cavity < 1.075) & (slanted < 10) & (np.abs(x) > 24) & (z > -100 + 0.3 * y)
    hu[rib] = 390
    hu[rib & (cavity > 1.018) & (cavity < 1.057) & (slanted > 2) & (slanted < 8)] = 170
    if z > -6:
        hu[_ellipse(x, y, 0, -95, 21, 6) < 1] = 300  # sternum


def _ellipse(x: Plane, y: Plane, cx: float, cy: float, rx: float, ry: float) -> Plane:
    """Return the distance from (cx, cy) in units of the half axes: below 1 inside."""
    return np.asarray(np.hypot((x - cx) / rx, (y - cy) / ry), dtype=np.float32)


def _ellipsoid(
    x: Plane, y: Plane, z: float, cx: float, cy: float, cz: float, rx: float, ry: float, rz: float
) -> Plane:
    return np.asarray(np.hypot(_ellipse(x, y, cx, cy, rx, ry), (z - cz) / rz), dtype=np.float32)


def _blurred(plane: Plane) -> Plane:
    """Return the plane smoothed with 1-2-1 along rows and columns, as a scanner's point spread does."""
    for axis in (0, 1):
        padded = np.pad(plane, [(1, 1) if n == axis else (0, 0) for n in (0, 1)], mode="edge")
        before, here, after = (np.take(padded, range(s, s + plane.shape[axis]), axis) for s in (0, 1, 2))
        plane = ((before + 2 * here + after) / 4).astype(np.float32)
    return plane
