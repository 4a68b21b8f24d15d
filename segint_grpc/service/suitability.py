"""Whether a scan is one that the model was made for: its channels, and the family's constraints.

A ModelInput says nothing of modality, body part or gender, so only channels, spacing, dimensions and
axial alignment can be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry, geometry_of

AXIAL_COSINE_MIN = 0.996
"""A slice axis within 5 degrees of head–feet counts as axial."""


def match_channels(sent_ids: Sequence[str], expected_ids: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return which sent channel (its index) is each expected one, in the family's order, and warnings.

    Raises:
        UnusableInput: the ids differ; the message names both lists.
    """
    if not sent_ids:
        raise errors.UnusableInput(f"No channel was sent; the model expects {_quoted(expected_ids)}.")
    if sorted(sent_ids) == sorted(expected_ids) and len(set(sent_ids)) == len(sent_ids):
        return [sent_ids.index(channel_id) for channel_id in expected_ids], []
    if len(sent_ids) == len(expected_ids) == 1:
        warning = f"The channel was sent as {_quoted(sent_ids)}; the model calls it {_quoted(expected_ids)}."
        return [0], [warning]
    raise errors.UnusableInput(
        f"The channels sent are {_quoted(sent_ids)}; the model expects {_quoted(expected_ids)}."
    )


def check_constraints(
    sent: Sequence[Model_pb2.ModelInputChannel],
    expected: Sequence[Model_pb2.ModelChannelDescription],
    policy: str,
) -> list[str]:
    """Return what of `sent`, in the order of `expected`, lies outside the family's constraints.

    Raises:
        UnusableInput: something does, and `policy` is "enforce".
    """
    if policy == "off":
        return []
    findings = [
        f'Channel "{description.ChannelID}": {finding}'
        for channel, description in zip(sent, expected, strict=True)
        if description.HasField("Constraints")
        for finding in _violations(geometry_of(channel.CalibratedVolume), description.Constraints)
    ]
    if findings and policy == "enforce":
        raise errors.UnusableInput(" ".join(findings))
    return findings


def _violations(geometry: Geometry, bounds: Model_pb2.ModelChannelConstraints) -> list[str]:
    depth, height, width = geometry.shape_kji
    spacing = geometry.spacing_xyz_mm
    checks = (
        ("spacing in mm", spacing, "SpacingMinInMillimeters", "SpacingMaxInMillimeters"),
        ("size in voxels", (width, height, depth), "DimensionsMinInPixels", "DimensionsMaxInPixels"),
    )
    found = [
        f"the {what} (X, Y, Z) is {_numbers(values)}; the model was made for {_range(bounds, low, high)}."
        for what, values, low, high in checks
        if not _within(values, bounds, low, high)
    ]
    if bounds.IsAxial and abs(geometry.z_axis[2]) < AXIAL_COSINE_MIN:
        found.append("the slices are not axial; the model was made for axial slices.")
    return found


def _within(values: Sequence[float], bounds: Model_pb2.ModelChannelConstraints, low: str, high: str) -> bool:
    lowest = _triple(bounds, low)
    highest = _triple(bounds, high)
    above = lowest is None or all(value >= bound for value, bound in zip(values, lowest, strict=True))
    below = highest is None or all(value <= bound for value, bound in zip(values, highest, strict=True))
    return above and below


def _triple(bounds: Model_pb2.ModelChannelConstraints, name: str) -> tuple[float, float, float] | None:
    if not bounds.HasField(name):
        return None
    vector = getattr(bounds, name)
    return (vector.X, vector.Y, vector.Z)


def _range(bounds: Model_pb2.ModelChannelConstraints, low: str, high: str) -> str:
    lowest, highest = _triple(bounds, low), _triple(bounds, high)
    parts = [f"at least {_numbers(lowest)}"] if lowest else []
    parts += [f"at most {_numbers(highest)}"] if highest else []
    return " and ".join(parts)


def _numbers(values: Sequence[float]) -> str:
    return " × ".join(f"{value:g}" for value in values)


def _quoted(names: Sequence[str]) -> str:
    return "none" if not names else ", ".join(f'"{name[:64]}"' for name in names)
