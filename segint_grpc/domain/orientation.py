"""The same body stored in other ways: axes in another order, counted backwards, another field of view.

A volume can be stored in 48 ways (`Arrangement`) and with its grid anywhere (`Window`); as long as its
geometry says so, every voxel lies at the same millimetres of the patient. A model is right if its masks
do, too. Both classes are a `Placement`: they rearrange voxels, say the geometry of what comes out, and
lay a mask that was found there back on the grid it came from. Nothing is copied but by `Window.apply`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry

Triple = tuple[float, float, float]
Slices = tuple[slice, slice, slice]

PATIENT_AXES = ("left–right", "front–back", "head–feet")
"""The x, y and z of LPS in the words of a sentence."""

DIRECTIONS = (("right", "left"), ("front", "back"), ("feet", "head"))
"""Where a falling and a growing x, y and z of LPS lead to, in the patient."""

DIRECTIONS_XYZ = {
    "L": (1.0, 0.0, 0.0),
    "R": (-1.0, 0.0, 0.0),
    "P": (0.0, 1.0, 0.0),
    "A": (0.0, -1.0, 0.0),
    "S": (0.0, 0.0, 1.0),
    "I": (0.0, 0.0, -1.0),
}
"""The letters of an orientation as LPS directions. A letter says where an axis grows to, as in nibabel."""


class Placement(Protocol):
    """A way to store the body of a base grid. Shapes and starts are (k, j, i)."""

    def apply(self, image_kji: NDArray[Any]) -> NDArray[Any]:
        """Return the base's `image_kji` as it is stored in this way."""

    def geometry(self, base: Geometry) -> Geometry:
        """Return the geometry of what `apply` returns, `base` being that of the base grid."""

    def common(self, shape_kji: tuple[int, int, int]) -> Slices:
        """Return the part of the base grid, of `shape_kji`, that is stored."""

    def undo(self, mask_kji: NDArray[Any]) -> NDArray[Any]:
        """Return a mask of the stored grid as a view of the base grid's part `common`."""


@dataclass(frozen=True)
class Arrangement:
    """Axes in another order: stored axis n was the base's `order[n]`, counted backwards if `reverse[n]`."""

    order: tuple[int, int, int] = (0, 1, 2)
    reverse: tuple[bool, bool, bool] = (False, False, False)

    def apply(self, image_kji: NDArray[Any]) -> NDArray[Any]:
        """Return a view of the base's `image_kji` as it is stored in this way."""
        return flip(image_kji.transpose(self.order), self._reversed())

    def geometry(self, base: Geometry) -> Geometry:
        """Return the geometry of what `apply` returns."""
        shape = tuple(base.shape_kji[axis] for axis in self.order)
        last = tuple(size - 1 if back else 0 for size, back in zip(shape, self.reverse, strict=True))
        corner = np.array([0, 0, 0])
        corner[list(self.order)] = last
        spacing = base.spacing_xyz_mm[::-1]
        vectors = (base.z_axis, base.y_axis, base.x_axis)
        z, y, x = (_signed(vectors[axis], back) for axis, back in zip(self.order, self.reverse, strict=True))
        return Geometry(
            shape_kji=(shape[0], shape[1], shape[2]),
            spacing_xyz_mm=(spacing[self.order[2]], spacing[self.order[1]], spacing[self.order[0]]),
            x_axis=x,
            y_axis=y,
            z_axis=z,
            origin_xyz_mm=_triple(base.xyz_mm(corner[None, :])[0]),
        )

    def common(self, shape_kji: tuple[int, int, int]) -> Slices:
        """Return the whole of the base grid."""
        return (slice(0, shape_kji[0]), slice(0, shape_kji[1]), slice(0, shape_kji[2]))

    def undo(self, mask_kji: NDArray[Any]) -> NDArray[Any]:
        """Return a mask of the stored grid as a view of the base grid."""
        return flip(mask_kji, self._reversed()).transpose(tuple(np.argsort(self.order)))

    def _reversed(self) -> tuple[int, ...]:
        return tuple(axis for axis in range(3) if self.reverse[axis])


@dataclass(frozen=True)
class Window:
    """A grid of the same size, moved by a share of itself along each axis; what is new in it is air.

    Air is the least value of the volume. The only placement that betrays a model which always mirrors its
    masks: a mirror about the middle of the grid commutes with every flip, but not with a moved grid. Where
    the three shares are unlike, it tells all ways to turn an array from each other.
    """

    shares_kji: tuple[float, float, float]

    def apply(self, image_kji: NDArray[Any]) -> NDArray[Any]:
        """Return a copy of `image_kji`, moved."""
        moved = np.full_like(image_kji, image_kji.min())
        moved[self._inside(_shape(image_kji))] = image_kji[self.common(_shape(image_kji))]
        return moved

    def geometry(self, base: Geometry) -> Geometry:
        """Return the geometry of what `apply` returns."""
        start = np.array([self._starts(base.shape_kji)])
        return replace(base, origin_xyz_mm=_triple(base.xyz_mm(start)[0]))

    def common(self, shape_kji: tuple[int, int, int]) -> Slices:
        """Return the part of the base grid that the moved one still covers."""
        k, j, i = (
            slice(max(0, start), size + min(0, start))
            for start, size in zip(self._starts(shape_kji), shape_kji, strict=True)
        )
        return (k, j, i)

    def undo(self, mask_kji: NDArray[Any]) -> NDArray[Any]:
        """Return the part of a mask of the moved grid that lies on the base grid, as a view."""
        return mask_kji[self._inside(_shape(mask_kji))]

    def _starts(self, shape_kji: tuple[int, int, int]) -> tuple[int, ...]:
        """Return by how many voxels the grid moves along each axis: one at least, where there are two."""
        return tuple(
            int(np.sign(share)) * min(max(1, round(abs(share) * size)), size - 1)
            for share, size in zip(self.shares_kji, shape_kji, strict=True)
        )

    def _inside(self, shape_kji: tuple[int, int, int]) -> Slices:
        k, j, i = self.shares_kji
        return Window((-k, -j, -i)).common(shape_kji)


def arrangement_for(geometry: Geometry, letters: str) -> Arrangement:
    """Return how a volume of `geometry` is turned so that columns, rows and slices grow to `letters`.

    Each axis goes to the patient's axis that it runs along most, each patient's axis being taken once.
    """
    wanted = [DIRECTIONS_XYZ[letter] for letter in reversed(letters)]
    axes = np.array([geometry.z_axis, geometry.y_axis, geometry.x_axis])
    cosines = np.array(wanted) @ axes.T
    orders = itertools.permutations(range(3))
    k, j, i = max(orders, key=lambda order: sum(abs(cosines[n, axis]) for n, axis in enumerate(order)))
    back = [bool(cosines[n, axis] < 0) for n, axis in enumerate((k, j, i))]
    return Arrangement((k, j, i), (back[0], back[1], back[2]))


def flip(array_kji: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Return a view of `array_kji` with the array axes `axes` counted backwards."""
    return np.flip(array_kji, axes) if axes else array_kji


def patient_axis(geometry: Geometry, axis: int) -> str:
    """Return the patient's axis that the array axis `axis` (0 slice, 1 row, 2 column) runs along most."""
    vector = (geometry.z_axis, geometry.y_axis, geometry.x_axis)[axis]
    return PATIENT_AXES[int(np.argmax(np.abs(vector)))]


def _signed(vector: Triple, backwards: bool) -> Triple:
    # Adding zero turns -0.0 into 0.0.
    return (-vector[0] + 0.0, -vector[1] + 0.0, -vector[2] + 0.0) if backwards else vector


def _shape(array_kji: NDArray[Any]) -> tuple[int, int, int]:
    return (array_kji.shape[0], array_kji.shape[1], array_kji.shape[2])


def _triple(values: NDArray[np.float64]) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))
