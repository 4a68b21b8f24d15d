"""What `segint model init` writes: a manifest that explains each of its keys, and a runnable model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template

from segint_grpc import errors
from segint_grpc.packaging.manifest import MANIFEST, read_manifest
from segint_grpc.packaging.manifest_text import toml_value

MODULE = "model.py"
EXAMPLE_FILES = (MANIFEST, MODULE)
STRUCTURES = ("Body", "Lungs", "Bone")
"""What the example draws unless told otherwise."""

_COLORS = ("#5ac85a", "#50a0ff", "#ffe15a", "#ff6e5a", "#c878ff", "#5adcd2", "#ffaa3c", "#ff82c8")
_OUTLINES = ("body", "external", "outline")
_RANGES = {**dict.fromkeys(_OUTLINES, (-250, 4000)), "lung": (-980, -320), "bone": (180, 4000)}
_SOFT_TISSUE = (-20, 180)


@dataclass(frozen=True)
class Answers:
    """What has to be known of a model before its manifest can be written."""

    name: str
    body_parts: Sequence[str]
    modality: str = "CT"
    structures: Sequence[str] = STRUCTURES
    gender: str = "Any"


def write_example(answers: Answers, now: datetime | None = None) -> dict[str, str]:
    """Return the example's files, name → text.

    Raises:
        InvalidModel: the answers make no manifest; the sentences name the fields.
    """
    ids = structure_ids(answers.structures)
    manifest = _MANIFEST.substitute(
        name=toml_value(answers.name),
        version_id=toml_value(f"{answers.name} 1.0"),
        body_parts=toml_value(list(answers.body_parts)),
        gender=toml_value(answers.gender),
        modality=toml_value(answers.modality),
        primary=toml_value(next(iter(answers.structures), "")),
        today=(now or datetime.now(UTC)).date().isoformat(),
        structures="\n".join(map(_structure, range(len(ids)), ids, answers.structures)),
        ranges="\n".join(f"{name} = {toml_value(_range(name))}" for name in ids),
    )
    read_manifest(manifest.encode(), lambda name: b"", f"The new {MANIFEST}")
    return {MANIFEST: manifest, MODULE: _MODULE}


def structure_ids(names: Sequence[str]) -> list[str]:
    """Return a StructureID for each name, of letters, digits and _; raises InvalidModel where two are one."""
    ids = [_identifier(name) or f"structure_{number}" for number, name in enumerate(names, start=1)]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise errors.InvalidModel(f"Two structures would have the id {twice[0]!r}; give them other names.")
    return ids


def _range(structure_id: str) -> tuple[int, int]:
    """Return the values of CT, in HU, that a structure of such a name may have: something to begin with."""
    return next((values for word, values in _RANGES.items() if word in structure_id), _SOFT_TISSUE)


def _identifier(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _structure(index: int, structure_id: str, name: str) -> str:
    kind = "External" if name.casefold() in _OUTLINES else "Organ"
    return _STRUCTURE.substitute(
        id=toml_value(structure_id),
        name=toml_value(name),
        color=toml_value(_COLORS[index % len(_COLORS)]),
        type=toml_value(kind),
    )


_STRUCTURE = Template(
    """\
[[versions.structures]]
id = $id
name = $name
color = $color
type = $type
fma = 0
"""
)

_MANIFEST = Template(
    """\
# What SegInt has to know of this model. Next:
#   segint model check .            runs it here as the server will
#   segint model pack .             makes one file of it, to hand on
#   segint model push . --approve --activate
#                                   brings it to the server and offers it
# Lines that begin with # are explanations, or keys that may be left out.

format = 1

# Further files for the package, such as a licence or notes. The server does not get them.
# files = ["README.md"]

# The model as its users know it. Its versions share channels and patients.
[family]
# Names the family for programs, for ever.
canonical_name = $name
# What Velocity shows.
name = $name
description = "For research, not for clinical use."
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
[[channels]]
id = "1"
# CT, CTA, MR_T1, MR_T2, MR_GAD, MR_FLAIR or PET.
modalities = [$modality]
# Bounds, inclusive: distance of voxel centres along X, Y, Z, and numbers of columns, rows and slices.
# spacing_min_mm = [0.5, 0.5, 0.5]
# spacing_max_mm = [2.0, 2.0, 5.0]
# size_min = [128, 128, 16]
# size_max = [1024, 1024, 1024]
# Only the voxels as they were acquired, not a resampled copy:
# original_data_required = true
# Only slices across the body:
# axial = true

# A trained state of the model: what a job names and what runs.
[[versions]]
# No other version on the server may have this id.
id = $version_id
# Major and minor number.
number = "1.0"
description = ""
created_on = $today

# What the version draws. `id` is what the model calls it, `name` what Velocity shows (16 characters or
# fewer are safe for every planning system), `fma` its number in the Foundational Model of Anatomy.
# `type` is Organ, External (the one outline of the body) or Unknown.
$structures
# What a regulator knows of it. Clinical, Investigational, Recalled or Withdrawn.
[[versions.regulatory]]
framework = "None"
status = "Investigational"

# What runs it.
[versions.runtime]
# One of `segint model backends`.
backend = "pytorch"
# The weights: a state dict, safetensors, or a pickled module. This example needs none.
# model_file = "weights.safetensors"
# The Python file that defines the model's class, and the class.
module_file = "model.py"
entry = "Model"
# A scan on which the model finds its structures. The check turns it about and compares the masks. A NIfTI
# file, the serialized ModelInput of a job, or for several channels { ct = "ct.nii.gz", pet = "pet.nii.gz" }.
# check_scan = "scan.nii.gz"

# How the model wants its scans, and what becomes of its masks; docs/geometry.md explains every key. Without
# these tables it gets the volumes as they were sent, whatever their orientation and spacing.
# [versions.input]
# Where columns, rows and slices grow to: L or R, P or A, S or I. An axial DICOM series is "LPS".
# orientation = "LPS"
# Distance of voxel centres along X, Y and Z in mm; 0 as sent.
# spacing_mm = [1.5, 1.5, 1.5]
# [[versions.input.intensity]]
# clip = [-1024, 3071]
# z_score, min_max, fixed or percentile.
# normalise = "z_score"
# Called with batches [tile, channel, slice, row, column]: whole, sliding_window or slices.
# [versions.inference]
# mode = "sliding_window"
# window = [96, 96, 96]
# What is given up where a scan would not end before its deadline; without this it is refused.
# [versions.inference.hurried]
# overlap = 0.25
# masks, labels, probabilities or logits; with exclusive, class 0 is the background.
# [versions.output]
# returns = "logits"
# exclusive = true
# largest_component = true
# What a job may take, and scans outside the channels' bounds: off, warn or enforce.
# [versions.limits]
# deadline_s = 600
# spacing = "warn"

# Arguments of the class: here the values from which to which voxels belong to each structure. The class gets
# the keys of such a table sorted by name, whatever their order here; a list keeps its order.
[versions.runtime.parameters.ranges]
$ranges
"""
)

_MODULE = '''\
"""An example to start from: a voxel belongs to a structure when its value lies in the structure's range."""

import torch


class Model(torch.nn.Module):
    def __init__(self, ranges):
        """Take the parameters of segint-model.toml: StructureID → lowest and highest value."""
        super().__init__()
        self.ranges = ranges

    def forward(self, image, *further, geometry, progress):
        """Return a mask for each structure.

        image: values of the first channel, an int32 array indexed [slice, row, column]; HU for CT. It is a
            torch tensor where the parameter is annotated `image: torch.Tensor`. With [versions.input] it is
            as that table says, float32 unless it says otherwise.
        further: the other channels' volumes, if the family has any.
        geometry: spacing_xyz_mm, axes and origin of the volume in LPS; a list for several channels. Leave it
            and `progress` out where they are not needed.
        progress: takes the finished share, 0 to 1.

        A mask has the image's shape, of 0 and 1 or booleans. Return a dictionary from StructureID to mask, a
        stack in the order of the manifest's structures, or one mask where there is one structure.
        Parameters come sorted by name, so that a stack must not be made in their order.
        """
        masks = {}
        for done, (structure_id, (lowest, highest)) in enumerate(self.ranges.items(), start=1):
            masks[structure_id] = (image >= lowest) & (image <= highest)
            progress(done / len(self.ranges))
        return masks
'''
