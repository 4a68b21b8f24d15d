"""Axis order and frames, defined here and nowhere else.

Arrays are indexed [k, j, i]: slice, row, column (`AXES_KJI`). Points are (x, y, z) in millimetres in the
DICOM patient coordinate system (DICOM PS3.3 C.7.6.2.1.1), LPS: x grows to the patient's left, y to the
posterior, z to the head. The centre of the voxel [k, j, i] lies at

    origin + x_axis * sx * i + y_axis * sy * j + z_axis * sz * k

which is the equation of DICOM PS3.3 C.7.6.2.1.1 with the slice axis added. NIfTI affines map (i, j, k) to
RAS; negating the first two rows turns one into the other.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Primitives3D_pb2
from segint_grpc import errors

AXES_KJI = ("slice", "row", "column")
FRAME = "LPS"

LENGTH_TOLERANCE = 0.01
"""How far the length of an axis may be from 1: clients write directions with few digits."""

COSINE_MAX = 2e-3
"""Largest cosine between two axes that still counts as a right angle (0.11 degrees)."""


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of one volume lie: shape (k, j, i), spacing, directions and origin, LPS, mm."""

    shape_kji: tuple[int, int, int]
    spacing_xyz_mm: tuple[float, float, float]
    x_axis: tuple[float, float, float]
    y_axis: tuple[float, float, float]
    z_axis: tuple[float, float, float]
    origin_xyz_mm: tuple[float, float, float]

    @property
    def affine(self) -> NDArray[np.float64]:
        """The 4×4 float64 matrix that maps (i, j, k, 1) to (x, y, z, 1), LPS, millimetres."""
        matrix = np.eye(4)
        for column, axis in enumerate((self.x_axis, self.y_axis, self.z_axis)):
            matrix[:3, column] = np.array(axis) * self.spacing_xyz_mm[column]
        matrix[:3, 3] = self.origin_xyz_mm
        return matrix

    def xyz_mm(self, indices_kji: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the positions (n, 3), LPS in mm, of the voxel centres `indices_kji` (n, 3)."""
        ijk = np.asarray(indices_kji, dtype=np.float64)[:, ::-1]
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_transform(self) -> Primitives3D_pb2.Transform3D:
        """Return the wire's form of this geometry; the shape is not part of it."""
        vectors = (self.x_axis, self.y_axis, self.z_axis, self.spacing_xyz_mm, self.origin_xyz_mm)
        x, y, z, scaling, origin = (Primitives3D_pb2.Vector3D(X=v[0], Y=v[1], Z=v[2]) for v in vectors)
        return Primitives3D_pb2.Transform3D(
            XAxisDirection=x, YAxisDirection=y, ZAxisDirection=z, VoxelScalingInMM=scaling, Origin=origin
        )


def geometry_from(affine: NDArray[np.float64], shape_kji: tuple[int, int, int]) -> Geometry:
    """Return the geometry whose affine, (i, j, k, 1) to LPS in mm, is `affine` (4×4, no shear)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # Adding zero turns -0.0 into 0.0.
    x_axis, y_axis, z_axis = ((affine[:3, n] / spacing[n] + 0.0).tolist() for n in range(3))
    return Geometry(
        shape_kji=shape_kji,
        spacing_xyz_mm=_triple(spacing.tolist()),
        x_axis=_triple(x_axis),
        y_axis=_triple(y_axis),
        z_axis=_triple(z_axis),
        origin_xyz_mm=_triple((affine[:3, 3] + 0.0).tolist()),
    )


def faults(geometry: Geometry) -> list[str]:
    """Return why positions in a volume mean nothing, a sentence for each fault; left-handed axes are none.

    Slices that are stored in reverse make a left-handed system, which is usual.
    """
    axes = {"XAxisDirection": geometry.x_axis, "YAxisDirection": geometry.y_axis}
    axes["ZAxisDirection"] = geometry.z_axis
    found = [fault for name, axis in axes.items() if (fault := _axis_fault(name, axis))]
    if not found:
        found = [
            fault
            for (one, a), (other, b) in itertools.combinations(axes.items(), 2)
            if (fault := _angle_fault(one, a, other, b))
        ]
    for letter, spacing in zip("XYZ", geometry.spacing_xyz_mm, strict=True):
        if not (math.isfinite(spacing) and spacing > 0):
            found.append(f"VoxelScalingInMM.{letter} is {spacing:g}; it must be above 0 mm.")
    if not all(map(math.isfinite, geometry.origin_xyz_mm)):
        found.append(f"Origin is {_numbers(geometry.origin_xyz_mm)}; it must be three numbers in mm.")
    return found


def checked(geometry: Geometry, name: str) -> Geometry:
    """Return `geometry`, the one of the channel `name`.

    Raises:
        UnusableInput: positions in it mean nothing; the message says which part of it is wrong.
    """
    if found := faults(geometry):
        raise errors.UnusableInput(f'Channel "{name}": ' + " ".join(found))
    return geometry


def _axis_fault(name: str, axis: tuple[float, float, float]) -> str:
    if not all(map(math.isfinite, axis)):
        return f"{name} is {_numbers(axis)}; it must be a direction of length 1."
    length = math.hypot(*axis)
    if abs(length - 1) <= LENGTH_TOLERANCE:
        return ""
    return f"{name} is {_numbers(axis)}, of length {length:.3g}; it must be a direction of length 1."


def _angle_fault(one: str, a: tuple[float, float, float], other: str, b: tuple[float, float, float]) -> str:
    cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
    if abs(cosine) <= COSINE_MAX:
        return ""
    degrees = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    return f"{one} and {other} meet at {degrees:.2f} degrees instead of 90 (a tilted gantry?)."


def _numbers(values: tuple[float, float, float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _triple(values: list[float]) -> tuple[float, float, float]:
    x, y, z = values
    return (x, y, z)


def geometry_of(volume: Primitives3D_pb2.CalibratedVolume3D) -> Geometry:
    """Return the geometry of a wire volume as it was sent, unchecked (its Data may be absent)."""

    def triple(vector: Primitives3D_pb2.Vector3D) -> tuple[float, float, float]:
        return (vector.X, vector.Y, vector.Z)

    transform = volume.DataTransform
    return Geometry(
        shape_kji=(volume.Volume.Depth, volume.Volume.Height, volume.Volume.Width),
        spacing_xyz_mm=triple(transform.VoxelScalingInMM),
        x_axis=triple(transform.XAxisDirection),
        y_axis=triple(transform.YAxisDirection),
        z_axis=triple(transform.ZAxisDirection),
        origin_xyz_mm=triple(transform.Origin),
    )
