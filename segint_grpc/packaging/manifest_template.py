"""The manifest that explains its keys: what a new model folder begins with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template

from segint_grpc import errors
from segint_grpc.domain.output_names import plain_name
from segint_grpc.packaging.manifest import MANIFEST, read_manifest
from segint_grpc.packaging.manifest_text import toml_value

FOR_RESEARCH = "For research, not for clinical use."
OUTLINES = ("body", "external", "outline")
"""Names of structures that are the one outline of the body."""

_COLORS = ("#5ac85a", "#50a0ff", "#ffe15a", "#ff6e5a", "#c878ff", "#5adcd2", "#ffaa3c", "#ff82c8")


@dataclass(frozen=True)
class OutlinedChannel:
    """A volume that the model gets, the kinds of images that it may be, and what there is to say of it."""

    channel_id: str
    modalities: Sequence[str]
    about: str = ""


@dataclass(frozen=True)
class Outline:
    """What a new manifest says: `runtime` is its last part, TOML; its author has to look at `to_check`."""

    name: str
    body_parts: Sequence[str]
    channels: Sequence[OutlinedChannel]
    structures: Sequence[str]
    runtime: str
    gender: str = "Any"
    description: str = FOR_RESEARCH
    number: str = "1.0"
    version_description: str = ""
    to_check: Sequence[str] = ()


def explained(outline: Outline, now: datetime | None = None) -> str:
    """Return the manifest of `outline`, each of its keys explained.

    Raises:
        InvalidModel: it makes no manifest; the sentences name the fields.
    """
    manifest = _MANIFEST.substitute(
        to_check="\n".join(_to_check(outline.to_check)),
        name=toml_value(outline.name),
        description=toml_value(outline.description),
        version_id=toml_value(f"{outline.name} {outline.number}"),
        number=toml_value(outline.number),
        version_description=toml_value(outline.version_description),
        body_parts=toml_value(list(outline.body_parts)),
        gender=toml_value(outline.gender),
        primary=toml_value(next(iter(outline.structures), "")),
        today=(now or datetime.now(UTC)).date().isoformat(),
        channels="\n".join(_channels(outline.channels)),
        structures="\n".join(_structures(outline)),
        runtime=outline.runtime,
    )
    read_manifest(manifest.encode(), lambda name: b"", f"The new {MANIFEST}")
    return manifest


def structure_ids(names: Sequence[str]) -> list[str]:
    """Return a StructureID for each name, of letters, digits and _; raises InvalidModel where two are one."""
    ids = [plain_name(name) or f"structure_{number}" for number, name in enumerate(names, start=1)]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise errors.InvalidModel(f"Two structures would have the id {twice[0]!r}; give them other names.")
    return ids


def _to_check(sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield "#\n# Proposed from what the model says of itself. Please look at:"
        yield from (f"#   - {' '.join(sentence.split())}" for sentence in sentences)
        yield ""


def _channels(channels: Sequence[OutlinedChannel]) -> Iterator[str]:
    for number, channel in enumerate(channels):
        about = f"# {' '.join(channel.about.split())}\n" if channel.about else ""
        template = _CHANNEL if number else _FIRST_CHANNEL
        yield about + template.substitute(
            id=toml_value(channel.channel_id), modalities=toml_value(list(channel.modalities))
        )


def _structures(outline: Outline) -> Iterator[str]:
    several = len(outline.channels) > 1
    lies_on = f"channel = {toml_value(outline.channels[0].channel_id)}\n" if several else ""
    for index, structure_id in enumerate(structure_ids(outline.structures)):
        name = outline.structures[index]
        yield _STRUCTURE.substitute(
            id=toml_value(structure_id),
            name=toml_value(name),
            color=toml_value(_COLORS[index % len(_COLORS)]),
            type=toml_value("External" if name.casefold() in OUTLINES else "Organ"),
            channel=lies_on,
        )


_STRUCTURE = Template(
    """\
[[versions.structures]]
id = $id
name = $name
color = $color
type = $type
fma = 0
$channel"""
)

_CHANNEL = Template(
    """\
[[channels]]
id = $id
modalities = $modalities
"""
)

_FIRST_CHANNEL = Template(
    """\
[[channels]]
id = $id
# CT, CTA, MR_T1, MR_T2, MR_GAD, MR_FLAIR or PET.
modalities = $modalities
# Bounds, inclusive: distance of voxel centres along X, Y, Z, and numbers of columns, rows and slices.
# spacing_min_mm = [0.5, 0.5, 0.5]
# spacing_max_mm = [2.0, 2.0, 5.0]
# size_min = [128, 128, 16]
# size_max = [1024, 1024, 1024]
# Only the voxels as they were acquired, not a resampled copy:
# original_data_required = true
# Only slices across the body:
# axial = true
"""
)

CHECK_SCAN = """\
# A scan on which the model finds its structures. The check turns it about and compares the masks. A NIfTI
# file, the serialized ModelInput of a job, or for several channels { ct = "ct.nii.gz", pet = "pet.nii.gz" }.
# check_scan = "scan.nii.gz"

"""
"""The key check_scan, for a table [versions.runtime]."""

_MANIFEST = Template(
    """\
# What SegInt has to know of this model. Next:
#   segint model check .            runs it here as the server will
#   segint model pack .             makes one file of it, to hand on
#   segint model push . --approve --activate
#                                   brings it to the server and offers it
# Lines that begin with # are explanations, or keys that may be left out.
$to_check
format = 1

# Further files for the package, such as a licence or notes. The server does not get them.
# files = ["README.md"]

# The model as its users know it. Its versions share channels and patients.
[family]
# Names the family for programs, for ever.
canonical_name = $name
# What Velocity shows.
name = $name
description = $description
clinical_domain = "RO"
anatomical_region = ""
primary_structure = $primary
# Parts of the body, by DICOM's names: Abdomen, Brain, Chest, HeadNeck, Pelvis, Prostate, WholeBody …
body_parts = $body_parts
# Any, Female or Male.
gender = $gender
language = "en"
# What is done about a scan outside the channels' bounds: it is refused (enforce), the job gets a warning
# (warn), or nothing (off).
on_unsuitable_scan = "enforce"

# A volume that the model gets. Several [[channels]] come in this order.
$channels
# A trained state of the model: what a job names and what runs.
[[versions]]
# No other version on the server may have this id.
id = $version_id
# Major and minor number.
number = $number
description = $version_description
created_on = $today

# What the version draws. `id` is what the model calls it, `name` what Velocity shows (16 characters or
# fewer are safe for every planning system), `fma` its number in the Foundational Model of Anatomy.
# `type` is Organ, External (the one outline of the body) or Unknown.
$structures
# What a regulator knows of it. Clinical, Investigational, Recalled or Withdrawn.
[[versions.regulatory]]
framework = "None"
status = "Investigational"

$runtime"""
)
