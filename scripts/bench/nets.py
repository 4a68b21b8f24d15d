"""The torch models that the benchmark uploads as a module file; each gets an int32 tensor."""

from __future__ import annotations

import torch

from scripts.bench.journal import journaled

LIMIT_HU = 150
ORGAN_HU = 20


class Threshold(torch.nn.Module):
    """One structure: everything above `LIMIT_HU`."""

    def __init__(self, journal: str) -> None:
        """Note calls in `journal`."""
        super().__init__()
        self.journal = journal

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return mask_kji, bool."""
        with journaled(self.journal):
            return image > LIMIT_HU


class Structures(torch.nn.Module):
    """`count` structures, each within a third of the rows, columns and slices, as organs are."""

    def __init__(self, journal: str, count: int) -> None:
        """Note calls in `journal`."""
        super().__init__()
        self.journal, self.count = journal, int(count)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return StructureID → mask_kji, bool."""
        with journaled(self.journal):
            return {str(n + 1): organ(image, n) for n in range(self.count)}


def organ(image: torch.Tensor, n: int) -> torch.Tensor:
    """Return the mask_kji of the n-th structure: what is above `ORGAN_HU` in its box."""
    mask = torch.zeros(image.shape, dtype=torch.bool)
    box = tuple(_side(length, n * step) for length, step in zip(image.shape, (3, 5, 7), strict=True))
    mask[box] = image[box] > ORGAN_HU
    return mask


def _side(length: int, position: int) -> slice:
    """Return a third of `length`, somewhere: positions count in twentieths of the room that there is."""
    extent = max(1, length // 3)
    first = (position % 20) * (length - extent) // 20
    return slice(first, first + extent)
