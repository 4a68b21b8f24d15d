"""Stored numbers into calibrated int16 voxels, without wrapping any of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors

INT16 = np.iinfo(np.int16)


ROUNDING_NOTED = 1e-3
"""A rounding up to this much is the arithmetic's own and not worth a word."""


class Calibration:
    """Turns the stored numbers of one scan into voxels, plane by plane, and knows what that cost."""

    def __init__(self) -> None:
        """Begin with nothing rounded."""
        self.rounded_by = 0.0

    def to_int16(
        self, stored: NDArray[np.generic], slope: float, intercept: float, where: str
    ) -> NDArray[np.int16]:
        """Return `stored * slope + intercept`, rounded to whole numbers, in the shape and order of `stored`.

        Args:
            stored: integers or floats of any shape.
            slope: the scale; 1 and an `intercept` of 0 leave the numbers as they are.
            intercept: what is added after scaling.
            where: names the slice or file in an error.

        Raises:
            UnusableScan: a voxel is no number, or does not fit the wire's 16 bits.
        """
        if stored.dtype == np.int16 and slope == 1.0 and intercept == 0.0:
            return stored.astype(np.int16, copy=False)
        exact = stored.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer()
        if exact:
            values = stored.astype(np.int64) * int(slope) + int(intercept)
            _check_range(values, where)
            return values.astype(np.int16)
        precise = stored.astype(np.float64) * slope + intercept
        rounded = np.rint(precise)
        _check_range(rounded, where)
        self.rounded_by = max(self.rounded_by, float(np.abs(precise - rounded).max(initial=0.0)))
        return rounded.astype(np.int16)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: the masks may differ from those of the unrounded scan."""
        if self.rounded_by <= ROUNDING_NOTED:
            return ()
        return (
            f"The scan's values are no whole numbers; the server's interface carries only these, so they "
            f"were rounded, by up to {self.rounded_by:.3g}. Values as small as SUV need rescaling first.",
        )


def _check_range(values: NDArray[np.generic], where: str) -> None:
    if not values.size:
        return
    lowest, highest = values.min(), values.max()
    if np.isnan(lowest) or np.isnan(highest):
        raise errors.UnusableScan(f"{where} holds voxels that are no numbers (NaN); give them a value first.")
    if lowest < INT16.min or highest > INT16.max:
        raise errors.UnusableScan(
            f"{where} holds values from {lowest:g} to {highest:g}; the server's interface carries whole "
            f"numbers from {INT16.min} to {INT16.max} only. Rescale the scan first."
        )
