"""What a MONAI bundle says of itself in its configs/metadata.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from segint_grpc import errors
from segint_grpc.domain.output_names import data_formats, is_background, output_names
from segint_grpc.packaging.manifest_template import OutlinedChannel
from segint_grpc.packaging.model_contents import ModelContents
from segint_grpc.packaging.proposal import Proposal, numbered, text_of

METADATA = ("configs/metadata.json", "extra/metadata.json")
"""In a bundle, and in the TorchScript file that `monai.bundle ckpt_export` writes."""

KIND = f"a MONAI bundle (it has {METADATA[0]})"

_MR = (
    ("MR_FLAIR", re.compile(r"flair", re.I)),
    ("MR_GAD", re.compile(r"t1[ _-]?(c|ce|gd|gad|post)|contrast|gad", re.I)),
    ("MR_T1", re.compile(r"t1", re.I)),
    ("MR_T2", re.compile(r"t2", re.I)),
)
_KINDS = {"ct": ("CT",), "cta": ("CTA",), "pet": ("PET",), "pt": ("PET",)}
_ANY_MR = tuple(name for name, _ in _MR)


def propose(contents: ModelContents) -> Proposal | None:
    """Return what the bundle in `contents` says, None where it is none.

    Raises:
        InvalidModel: its metadata.json does not name what the network draws.
    """
    name = next((name for name in METADATA if name in contents.names), None)
    if name is None:
        return None
    said = contents.read_json(name)
    structures = _structures(said, name)
    channels = tuple(_channels(said))
    return Proposal(
        kind="a MONAI bundle",
        backend="monai",
        structures=structures,
        channels=channels,
        name=text_of(said, "name") or text_of(said, "task"),
        description=text_of(said, "description"),
        number=_number(text_of(said, "version")),
        version_description=_version_description(said),
        parameters={"inputs": keys} if (keys := _keys(said)) else {},
        to_check=tuple(_to_check(said, channels)),
    )


def _structures(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    numbered = output_names(said)
    names = tuple(text for text in numbered.values() if not is_background(text))
    if not names:
        raise errors.InvalidModel(
            f"{name} names nothing that the network draws; expected was network_data_format.outputs.pred."
            'channel_def, as in {"0": "background", "1": "spleen"}.'
        )
    return names


def _channels(said: Mapping[str, Any]) -> Iterator[OutlinedChannel]:
    """Yield the volumes that the network gets: a channel each, whether or not they are one tensor."""
    inputs = data_formats(said, "inputs")
    named = [
        (key, str(one.get("modality", "")), name)
        for key, one in inputs.items()
        for name in _input_names(one, key)
    ]
    for number, (key, modality, name) in enumerate(named or [("image", "", "image")], start=1):
        about = "" if name == key else f"In the bundle it is {name}."
        yield OutlinedChannel(str(number), modalities(modality, name), about)


def _keys(said: Mapping[str, Any]) -> list[str]:
    """Return the keys of several images, one channel each: the config may load them in another order."""
    inputs = data_formats(said, "inputs")
    single = all(len(_input_names(one, key)) == 1 for key, one in inputs.items())
    return list(inputs) if len(inputs) > 1 and single else []


def _input_names(one: Mapping[str, Any], key: str) -> list[str]:
    names, count = one.get("channel_def"), one.get("num_channels", 1)
    if isinstance(names, Mapping) and names:
        return numbered(names)
    return [key] * (count if isinstance(count, int) and count > 0 else 1)


def modalities(modality: str, name: str) -> tuple[str, ...]:
    """Return which images a channel takes, by DICOM's names; none where neither word tells."""
    said = modality.strip().casefold()
    if said not in ("mr", "mri"):
        return _KINDS.get(said, _KINDS.get(name.strip().casefold(), ()))
    return next(((found,) for found, words in _MR if words.search(name)), _ANY_MR)


def _to_check(said: Mapping[str, Any], channels: tuple[OutlinedChannel, ...]) -> Iterator[str]:
    for channel in channels:
        if channel.modalities == _ANY_MR:
            yield f"channel {channel.channel_id}: the bundle says MR and no more; leave what it takes."
    if keys := _keys(said):
        yield f"inputs: the bundle's config has to load its images under these names: {', '.join(keys)}."
    if not any(is_background(name) for name in output_names(said).values()):
        yield "structures: the bundle names no background, so each of its outputs is one."
    if use := text_of(said, "intended_use"):
        yield f"what it may be used for: {use}"


def _version_description(said: Mapping[str, Any]) -> str:
    authors, version = text_of(said, "authors"), text_of(said, "version")
    parts = [f"MONAI bundle {version}".strip(), f"by {authors}" if authors else ""]
    return " ".join(filter(None, parts))


def _number(version: str) -> str:
    match = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    return match[0] if match else "1.0"
