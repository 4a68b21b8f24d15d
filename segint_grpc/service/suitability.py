"""Whether a scan is one that the model was made for: its channels, and the family's constraints.

A ModelInput says nothing of modality, body part or gender, so only channels, spacing, dimensions and
axial alignment can be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.domain.geometry import Geometry, checked, faults, geometry_of

AXIAL_COSINE_MIN = 0.996
"""A slice axis within 5 degrees of head–feet counts as axial."""

REACTIONS: dict[int, str] = {
    ScanHandling.REACTION_OFF: "off",
    ScanHandling.REACTION_WARN: "warn",
    ScanHandling.REACTION_ENFORCE: "enforce",
}


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


@dataclass(frozen=True)
class Policies:
    """What is done about each kind of constraint that a scan does not meet: "off", "warn" or "enforce"."""

    spacing: str
    dimensions: str
    axial: str


def policies(policy: str, limits: ScanHandling.Limits) -> Policies:
    """Return what a version's own `limits` say, and where they are silent its family's `policy`."""
    return Policies(
        *(REACTIONS.get(own, policy) for own in (limits.spacing, limits.dimensions, limits.axial))
    )


def check_constraints(
    sent: Sequence[Model_pb2.ModelInputChannel],
    expected: Sequence[Model_pb2.ModelChannelDescription],
    policies: Policies,
) -> list[str]:
    """Return what of `sent`, in the order of `expected`, lies outside the family's constraints.

    Raises:
        UnusableInput: something does, and `policies` enforce that.
    """
    findings = [
        (policy, f'Channel "{description.ChannelID}": {finding}')
        for channel, description in zip(sent, expected, strict=True)
        if description.HasField("Constraints")
        for policy, finding in _violations(
            geometry_of(channel.CalibratedVolume), description.Constraints, policies
        )
    ]
    refused = [finding for policy, finding in findings if policy == "enforce"]
    if refused:
        raise errors.UnusableInput(" ".join(refused))
    return [finding for policy, finding in findings if policy == "warn"]


def check_geometry(
    sent: Sequence[Model_pb2.ModelInputChannel], channel_ids: Sequence[str], needed: bool
) -> list[str]:
    """Return what is wrong with where the voxels of `sent` lie, channels being called `channel_ids`.

    Raises:
        UnusableInput: something is, and the model is `needed` to know where they lie.
    """
    geometries = [geometry_of(channel.CalibratedVolume) for channel in sent]
    if needed:
        for geometry, name in zip(geometries, channel_ids, strict=True):
            checked(geometry, name)
        return []
    return [
        f'Channel "{name}": {" ".join(found)} The model gets it as it was sent.'
        for geometry, name in zip(geometries, channel_ids, strict=True)
        if (found := faults(geometry))
    ]


def _violations(
    geometry: Geometry, bounds: Model_pb2.ModelChannelConstraints, policies: Policies
) -> list[tuple[str, str]]:
    """Return each constraint that is not met, after its policy."""
    depth, height, width = geometry.shape_kji
    spacing, size = geometry.spacing_xyz_mm, (width, height, depth)
    checks = (
        (policies.spacing, "spacing in mm", spacing, "SpacingMinInMillimeters", "SpacingMaxInMillimeters"),
        (policies.dimensions, "size in voxels", size, "DimensionsMinInPixels", "DimensionsMaxInPixels"),
    )
    found = [
        (policy, f"the {what} (X, Y, Z) is {_numbers(values)}; the model was made for {wanted}.")
        for policy, what, values, low, high in checks
        if not _within(values, bounds, low, high) and (wanted := _range(bounds, low, high))
    ]
    if bounds.IsAxial and abs(geometry.z_axis[2]) < AXIAL_COSINE_MIN:
        found.append((policies.axial, "the slices are not axial; the model was made for axial slices."))
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
