"""What a check gives to a model: scans in memory or mapped, drawn by the project or added by the author."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.orientation import Placement
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.gate import phantoms
from segint_grpc.service.suitability import match_channels
from segint_grpc.wire.volumes import Limits, decode_body

Shape = tuple[int, int, int]
Triple = tuple[float, float, float]

ORIGIN_XYZ_MM = (-153.2, -171.5, -812.0)
"""Where phantoms begin: off zero on every axis, as in a scanner."""

BASE_SHAPE_KJI = (64, 64, 64)
"""A cube, so that a model which confuses two axes returns a mask that fits and is caught by its place."""
BASE_SPACING_XYZ_MM = (5.0, 4.0, 4.5)

ODD_SHAPE_KJI = (29, 53, 71)
ODD_SPACING_XYZ_MM = (0.9, 1.3, 6.0)
FEW_SHAPE_KJI = (3, 64, 64)
TILT_DEGREES = 20.0
AXIAL_TILT_DEGREES = 3.0
"""About three axes that is 4.2 degrees for the slices: still axial by suitability.AXIAL_COSINE_MIN."""


@dataclass(frozen=True)
class Volume:
    """One channel: image_kji (int16 or uint8) and where it lies."""

    channel_id: str
    image_kji: NDArray[Any]
    geometry: Geometry


Scan = tuple[Volume, ...]
"""A volume for each channel, in the family's order."""


class Phantoms:
    """The phantoms for one family: in its channels, and within what it says of their sizes and spacings."""

    def __init__(self, family: Model_pb2.ModelFamily) -> None:
        """Draw for the channels of `family`."""
        self._channels = list(family.FamilyDescription.InputChannels)
        self.axial_only = any(channel.Constraints.IsAxial for channel in self._channels)

    @property
    def several_channels(self) -> bool:
        """Whether the family has more than one channel."""
        return len(self._channels) > 1

    def base(self) -> Scan:
        """Return the body on a cubic grid, axial, in the directions of LPS; every channel on one grid."""
        return self._drawn(BASE_SHAPE_KJI, BASE_SPACING_XYZ_MM)

    def odd(self) -> Scan:
        """Return the body with unlike, odd sizes and strongly unlike spacings."""
        return self._drawn(ODD_SHAPE_KJI, ODD_SPACING_XYZ_MM)

    def few_slices(self) -> Scan:
        """Return the body in three slices."""
        return self._drawn(FEW_SHAPE_KJI, (BASE_SPACING_XYZ_MM[0], BASE_SPACING_XYZ_MM[1], 96.0))

    def nothing(self) -> Scan:
        """Return a scan of air on the grid of `base`."""
        return tuple(
            replace(volume, image_kji=phantoms.empty(volume.geometry.shape_kji, _modality(channel)))
            for volume, channel in zip(self.base(), self._channels, strict=True)
        )

    def tilted(self) -> Scan:
        """Return the voxels of `base` in a grid that is tilted about all axes: a body that lies askew.

        Body and grid are tilted as one, so that a right model's masks keep their array indices.
        """
        degrees = AXIAL_TILT_DEGREES if self.axial_only else TILT_DEGREES
        return tuple(replace(volume, geometry=tilted(volume.geometry, degrees)) for volume in self.base())

    def unlike_grids(self) -> Scan:
        """Return the body with the first channel as in `base` and the others on a coarser grid."""
        depth, height, width = BASE_SHAPE_KJI
        coarse = (depth // 2, height // 2, width // 2)
        first, *_ = self.base()
        x, y, z = BASE_SPACING_XYZ_MM
        others = self._drawn(coarse, (2 * x, 2 * y, 2 * z))[1:]
        return (first, *others)

    def _drawn(self, shape_kji: Shape, spacing_xyz_mm: Triple) -> Scan:
        constraints = [channel.Constraints for channel in self._channels]
        shape_kji = _allowed_shape(shape_kji, constraints)
        geometry = Geometry(
            shape_kji=shape_kji,
            spacing_xyz_mm=_allowed(spacing_xyz_mm, constraints, "Spacing{}InMillimeters"),
            x_axis=(1.0, 0.0, 0.0),
            y_axis=(0.0, 1.0, 0.0),
            z_axis=(0.0, 0.0, 1.0),
            origin_xyz_mm=ORIGIN_XYZ_MM,
        )
        return tuple(
            Volume(channel.ChannelID, phantoms.draw(shape_kji, _modality(channel)), geometry)
            for channel in self._channels
        )


def placed(scan: Scan, placement: Placement) -> Scan:
    """Return `scan` stored as `placement` says."""
    return tuple(
        Volume(volume.channel_id, placement.apply(volume.image_kji), placement.geometry(volume.geometry))
        for volume in scan
    )


def tilted(geometry: Geometry, degrees: float) -> Geometry:
    """Return `geometry` turned by `degrees` about x, then y, then z; its origin stays."""
    turn = np.linalg.multi_dot([_rotation(axis, math.radians(degrees)) for axis in (2, 1, 0)])
    x, y, z = ((float(v[0]), float(v[1]), float(v[2])) for v in turn.T)
    return replace(geometry, x_axis=x, y_axis=y, z_axis=z)


def read_scan(path: Path, model: ResolvedModel, path_of: Callable[[int], Path], limits: Limits) -> Scan:
    """Return the stored ModelInput `path` as a scan for `model`; its voxels are mapped from nameless files.

    Raises:
        SegIntError: it is no scan for this model.
    """
    numbers = count()
    files = decode_body(path, lambda _: path_of(next(numbers)), limits)
    mapped = [np.memmap(file.path, file.dtype, "r", shape=file.geometry.shape_kji) for file in files]
    for file in files:
        file.path.unlink()
    expected_ids = [channel.ChannelID for channel in model.family.FamilyDescription.InputChannels]
    order, _ = match_channels([file.channel_id for file in files], expected_ids)
    return tuple(
        Volume(channel_id, mapped[index], files[index].geometry)
        for channel_id, index in zip(expected_ids, order, strict=True)
    )


def planes(image_kji: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield the slices of `image_kji`, each contiguous, so that a rearranged volume is never copied whole."""
    for plane in image_kji:
        yield np.ascontiguousarray(plane)


def _modality(channel: Model_pb2.ModelChannelDescription) -> int:
    accepted = channel.Constraints.AcceptedModalities
    return accepted[0] if accepted else phantoms.Modality.CT


def _allowed_shape(shape_kji: Shape, constraints: Sequence[Model_pb2.ModelChannelConstraints]) -> Shape:
    depth, height, width = shape_kji
    x, y, z = _allowed((width, height, depth), constraints, "Dimensions{}InPixels")
    return (max(1, round(z)), max(1, round(y)), max(1, round(x)))


def _allowed(
    values_xyz: Triple, constraints: Sequence[Model_pb2.ModelChannelConstraints], name: str
) -> Triple:
    """Return `values_xyz` moved into the bounds `name` ("…{}…" with Min and Max) of every channel."""
    x, y, z = values_xyz
    for bounds in constraints:
        for bound, choose in (("Min", max), ("Max", min)):
            if bounds.HasField(field := name.format(bound)):
                limit = getattr(bounds, field)
                x, y, z = (
                    choose(value, limited) if limited else value
                    for value, limited in zip((x, y, z), (limit.X, limit.Y, limit.Z), strict=True)
                )
    return (x, y, z)


def _rotation(axis: int, radians: float) -> NDArray[np.float64]:
    """Return the 3×3 rotation about the axis 0 (x), 1 (y) or 2 (z)."""
    turn = np.eye(3)
    a, b = [n for n in range(3) if n != axis]
    turn[a, a] = turn[b, b] = math.cos(radians)
    turn[a, b], turn[b, a] = -math.sin(radians), math.sin(radians)
    return turn
