"""The manifest of a model that was proposed from what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from segint_grpc import errors
from segint_grpc.packaging.fields import suggestion
from segint_grpc.packaging.manifest_template import (
    CHECK_SCAN,
    FOR_RESEARCH,
    Outline,
    OutlinedChannel,
    explained,
    structure_ids,
)
from segint_grpc.packaging.manifest_text import toml_value
from segint_grpc.packaging.proposal import Proposal


@dataclass(frozen=True)
class Decisions:
    """What the model does not say, or what shall be otherwise; `modality` is of channels that tell none."""

    name: str
    body_parts: Sequence[str]
    modality: str = ""
    gender: str = "Any"


def only(proposal: Proposal, names: Sequence[str]) -> Proposal:
    """Return `proposal` with the structures `names` alone, in that order, or with all where there are none.

    Raises:
        InvalidModel: the model does not draw one of them.
    """
    known = dict(zip(structure_ids(proposal.structures), proposal.structures, strict=True))
    wanted = dict(zip(structure_ids(names), names, strict=True))
    for structure_id, name in wanted.items():
        if structure_id not in known:
            raise errors.InvalidModel(
                f"The model draws no {name!r}. {suggestion(name, list(known.values()))}"
            )
    return replace(proposal, structures=tuple(known[name] for name in wanted)) if names else proposal


def write_proposed(proposal: Proposal, decisions: Decisions, model_file: str) -> str:
    """Return the manifest of the model that lies in `model_file`, beside it.

    Raises:
        InvalidModel: it makes no manifest; the sentences name the fields.
    """
    parameters = "".join(f"{name} = {toml_value(value)}\n" for name, value in proposal.parameters.items())
    return explained(
        Outline(
            name=decisions.name,
            body_parts=decisions.body_parts,
            channels=[_decided(channel, decisions.modality) for channel in proposal.channels],
            structures=proposal.structures,
            runtime=_RUNTIME.format(
                kind=proposal.kind,
                backend=toml_value(proposal.backend),
                model_file=toml_value(model_file),
                check_scan=CHECK_SCAN,
                parameters=f"\n[versions.runtime.parameters]\n{parameters}" if parameters else "",
            ),
            gender=decisions.gender,
            description=proposal.description or FOR_RESEARCH,
            number=proposal.number,
            version_description=proposal.version_description,
            to_check=proposal.to_check,
        )
    )


def _decided(channel: OutlinedChannel, modality: str) -> OutlinedChannel:
    return channel if channel.modalities or not modality else replace(channel, modalities=(modality,))


_RUNTIME = """\
# What runs it: {kind}, explained in docs/bundles.md. It turns, resamples and cuts its scans itself, so
# that it has no tables [versions.input] and [versions.inference].
[versions.runtime]
backend = {backend}
# The model: a folder beside this file, or its zip.
model_file = {model_file}
{check_scan}# What a job may take, and scans outside the channels' bounds: off, warn or enforce.
# [versions.limits]
# deadline_s = 600
# spacing = "warn"
{parameters}"""
