"""Axis order and frames, defined here and nowhere else.

Arrays are indexed [k, j, i]: slice, row, column (`AXES_KJI`). Points are (x, y, z) in millimetres in the
DICOM patient coordinate system (DICOM PS3.3 C.7.6.2.1.1), LPS: x grows to the patient's left, y to the
posterior, z to the head. The centre of the voxel [k, j, i] lies at

    origin + x_axis * sx * i + y_axis * sy * j + z_axis * sz * k

which is the equation of DICOM PS3.3 C.7.6.2.1.1 with the slice axis added. NIfTI affines map (i, j, k) to
RAS; negating the first two rows turns one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Primitives3D_pb2

AXES_KJI = ("slice", "row", "column")
FRAME = "LPS"


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
