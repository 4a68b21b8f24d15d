"""A small model without training: four structures told apart by their Hounsfield units.

It shows what SegInt asks of a PyTorch model. The class is an ordinary torch.nn.Module. Its forward gets one
volume of calibrated values, int32, indexed [slice, row, column]: an array, or a tensor where the parameter
is annotated so, as here. It returns one mask for each StructureID of the family, on the same grid, of
zeros and ones. `geometry` and `progress` are handed over because forward has parameters of these names.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn.functional import avg_pool2d, max_pool2d

from segint_grpc.domain.geometry import Geometry

NAMES = ("body", "lungs", "bone", "soft_tissue")
BOUNDS_HU = ((-250, 4000), (-980, -320), (180, 4000), (-20, 180))
BODY_RADIUS_MM = 4.0
"""Half the thickness of what counts as couch or clothing and not as body."""
TISSUE_RADIUS_MM = 1.0
SMOOTHED_MM = 2.0
"""Slices with larger pixels than this are taken as they are."""


class HuRanges(torch.nn.Module):
    """Smooths each slice, compares it with lower and upper bounds in HU, and tidies the outlines."""

    def __init__(self) -> None:
        """Start with `BOUNDS_HU`; weights that are loaded afterwards replace them."""
        super().__init__()
        self.bounds_hu: torch.Tensor
        self.register_buffer("bounds_hu", torch.tensor(BOUNDS_HU, dtype=torch.float32))

    def forward(
        self, image: torch.Tensor, geometry: Geometry, progress: Callable[[float], None]
    ) -> dict[str, torch.Tensor]:
        """Return StructureID → mask (bool, [slice, row, column]) for `image` in HU."""
        pixel_mm = geometry.spacing_xyz_mm[0]
        smooth = _smooth(image.float()[:, None], radius=1 if pixel_mm < SMOOTHED_MM else 0)
        progress(0.2)
        inside = _fill(_open(self._between(smooth, 0), round(BODY_RADIUS_MM / pixel_mm)))
        progress(0.5)
        masks = {"body": inside}
        for n, name in enumerate(NAMES[1:], start=1):
            masks[name] = inside & _open(self._between(smooth, n), round(TISSUE_RADIUS_MM / pixel_mm))
            progress(0.5 + 0.5 * n / len(NAMES[1:]))
        return {name: mask[:, 0] for name, mask in masks.items()}

    def _between(self, smooth: torch.Tensor, n: int) -> torch.Tensor:
        lower, upper = self.bounds_hu[n]
        return torch.logical_and(smooth >= lower, smooth <= upper)


def _smooth(image: torch.Tensor, radius: int) -> torch.Tensor:
    return avg_pool2d(image, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)


def _open(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """Return `mask` without what is thinner than 2 * radius + 1 pixels, such as the couch."""
    eroded = 1 - _dilate(1 - mask.float(), radius)
    return _dilate(eroded, radius) > 0.5


def _dilate(values: torch.Tensor, radius: int) -> torch.Tensor:
    return max_pool2d(values, 2 * radius + 1, stride=1, padding=radius)


def _fill(mask: torch.Tensor) -> torch.Tensor:
    """Return `mask` with its holes: pixels from which it is seen in all four directions of the slice."""
    filled = torch.ones_like(mask)
    for axis in (2, 3):
        before = mask.int().cummax(axis).values > 0
        after = mask.int().flip(axis).cummax(axis).values.flip(axis) > 0
        filled &= before & after
    return filled
