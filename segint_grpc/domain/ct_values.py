"""Whether a CT's values are those of a CT. The wire names neither modality nor unit, so this only warns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLES_MAX = 250_000
AIR_HU = -150
SOFT_HU = (-200, 300)
SOFT_SHARE_MIN = 0.005


class Volume(Protocol):
    """A channel's id and its image_kji."""

    @property
    def channel_id(self) -> str:
        """What the family calls it."""

    @property
    def image_kji(self) -> NDArray[Any]:
        """Its voxels."""


def odd_values(channels: Sequence[Volume], ct_channel_ids: Sequence[str]) -> list[str]:
    """Return a sentence for each of the channels `ct_channel_ids` whose values are hardly HU."""
    return [
        f"The values of channel {channel.channel_id!r} do not look like a CT's: {finding}"
        for channel in channels
        if channel.channel_id in ct_channel_ids and (finding := _finding(channel.image_kji))
    ]


def _finding(image_kji: NDArray[Any]) -> str:
    flat = image_kji.reshape(-1)
    values = flat[:: max(1, flat.size // SAMPLES_MAX)]
    lowest = int(values.min())
    if lowest >= AIR_HU:
        return f"the lowest is {lowest} HU, where air has -1000 (is the rescale intercept missing?)."
    soft = float(np.mean((values > SOFT_HU[0]) & (values < SOFT_HU[1])))
    if soft < SOFT_SHARE_MIN:
        return f"only {soft:.1%} of them lie between {SOFT_HU[0]} and {SOFT_HU[1]} HU, where soft tissue is."
    return ""
