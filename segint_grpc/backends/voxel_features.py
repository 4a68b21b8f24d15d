"""What a model that judges voxel by voxel is told of each: features, declared by name in a parameter.

    intensity           the channel's value
    smoothed(2)         after a Gaussian whose sigma is 2 mm
    gradient(1)         magnitude of the gradient, in 1/mm, after a Gaussian whose sigma is 1 mm
    x_mm, y_mm, z_mm    position in the patient, LPS

The first channel's unless another is named before a colon, as in "PET:smoothed(4)". All channels share one
grid. How features are computed is in voxel_slabs.py, which needs SciPy; this file needs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segint_grpc import errors

FEATURES = "features"
LABELS = "labels"
SIGMA_MAX_MM = 50.0
FEATURES_MAX = 100

INTENSITY, SMOOTHED, GRADIENT = "intensity", "smoothed", "gradient"
POSITIONS = ("x_mm", "y_mm", "z_mm")

_FORM = re.compile(
    r"(?:(?P<channel>[^:]+):)?(?P<kind>intensity|smoothed|gradient|[xyz]_mm)(?:\((?P<sigma>[\d.]+)\))?"
)
_KINDS = "intensity, smoothed(SIGMA_MM), gradient(SIGMA_MM), x_mm, y_mm or z_mm"


@dataclass(frozen=True)
class Feature:
    """One feature: what it is, of which channel ("" for the first), and the Gaussian's sigma in mm."""

    kind: str
    channel_id: str = ""
    sigma_mm: float = 0.0


def declared(parameters: Mapping[str, Any], channel_ids: Sequence[str]) -> list[Feature]:
    """Return the parameter `features`, a list of names, in its order.

    Raises:
        InvalidModel: it is missing, or holds what is no feature or of no channel.
    """
    names = parameters.get(FEATURES)
    if not isinstance(names, list) or not 0 < len(names) <= FEATURES_MAX:
        raise errors.InvalidModel(
            f"The parameter {FEATURES} must list what the model was trained on, as in "
            '["intensity", "smoothed(2)"].'
        )
    return [_feature(name, channel_ids) for name in names]


def _feature(name: Any, channel_ids: Sequence[str]) -> Feature:
    match = _FORM.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise errors.InvalidModel(f"The feature {name!r:.60} is unknown; it must be {_KINDS}.")
    kind, channel_id = match["kind"], match["channel"] or ""
    if channel_id and channel_id not in channel_ids:
        raise errors.InvalidModel(
            f"The feature {name!r:.60} is of no channel of the family ({', '.join(channel_ids)})."
        )
    if (kind in (SMOOTHED, GRADIENT)) != bool(match["sigma"]):
        raise errors.InvalidModel(f"The feature {name!r:.60} is unknown; it must be {_KINDS}.")
    return Feature(kind, channel_id, _sigma_mm(name, match["sigma"]) if match["sigma"] else 0.0)


def _sigma_mm(name: str, text: str) -> float:
    try:
        sigma_mm = float(text)
    except ValueError:
        sigma_mm = 0.0
    if not 0 < sigma_mm <= SIGMA_MAX_MM:
        raise errors.InvalidModel(
            f"The sigma of {name!r:.60} must be above 0 and at most {SIGMA_MAX_MM:g} mm."
        )
    return sigma_mm
