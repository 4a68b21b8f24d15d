"""What `segint model init` writes: a manifest that explains each of its keys, and a runnable model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Template

from segint_grpc.packaging.manifest import MANIFEST
from segint_grpc.packaging.manifest_template import (
    CHECK_SCAN,
    OUTLINES,
    Outline,
    OutlinedChannel,
    explained,
    structure_ids,
)
from segint_grpc.packaging.manifest_text import toml_value

MODULE = "model.py"
EXAMPLE_FILES = (MANIFEST, MODULE)
STRUCTURES = ("Body", "Lungs", "Bone")
"""What the example draws unless told otherwise."""

_RANGES = {**dict.fromkeys(OUTLINES, (-250, 4000)), "lung": (-980, -320), "bone": (180, 4000)}
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
    outline = Outline(
        name=answers.name,
        body_parts=answers.body_parts,
        channels=[OutlinedChannel("1", [answers.modality])],
        structures=answers.structures,
        runtime=_RUNTIME.substitute(
            check_scan=CHECK_SCAN, ranges="\n".join(f"{name} = {toml_value(_range(name))}" for name in ids)
        ),
        gender=answers.gender,
    )
    return {MANIFEST: explained(outline, now), MODULE: _MODULE}


def _range(structure_id: str) -> tuple[int, int]:
    """Return the values of CT, in HU, that a structure of such a name may have: something to begin with."""
    return next((values for word, values in _RANGES.items() if word in structure_id), _SOFT_TISSUE)


_RUNTIME = Template(
    """\
# What runs it.
[versions.runtime]
# One of `segint model backends`.
backend = "pytorch"
# An environment of your own: the name that the server's setting `interpreters` gives to its Python.
# interpreter = "group"
# The weights: a state dict, safetensors, or a pickled module. This example needs none.
# model_file = "weights.safetensors"
# The Python file that defines the model's class, and the class.
module_file = "model.py"
entry = "Model"
${check_scan}\
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
