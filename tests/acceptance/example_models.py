"""Models as a research group would bring them, made on the spot: a family, weights and a module."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch

from generated.radiomics import Model_pb2
from tests.acceptance.serving import Server

THRESHOLD = """
    import numpy as np
    import torch


    class Threshold(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("limit_hu", torch.tensor(150))

        def forward(self, image):
            assert image.dtype == np.int32 and image.ndim == 3
            return image > int(self.limit_hu)
"""

RANGES = """
    import numpy as np
    import torch

    RANGES_HU = ((-900, -400), (-120, -30), (20, 80), (150, 3000))


    class Ranges(torch.nn.Module):
        def forward(self, image):
            return np.stack([(image >= low) & (image < high) for low, high in RANGES_HU])
"""

CT_AND_PET = """
    import torch


    class CtAndPet(torch.nn.Module):
        def forward(self, ct, pet, geometry=None):
            assert geometry[0].shape_kji == ct.shape and geometry[1].shape_kji == pet.shape
            return {"hot": pet > 100, "bone": ct > 200}
"""


def family(
    name: str,
    structures: Sequence[tuple[str, str, tuple[int, int, int], str]],
    channels: Sequence[str] = ("1",),
) -> Model_pb2.ModelFamily:
    """A family of one version `name`; a structure is its id, name, colour and input channel."""
    version = Model_pb2.ModelVersion(ID=name, MajorVersion=2, MinorVersion=5, LanguageCode="en")
    for identity, label, (red, green, blue), channel in structures:
        version.Structures.add(
            StructureID=identity,
            Name=label,
            Color=Model_pb2.ColorRGB(R=red, G=green, B=blue),
            Type=Model_pb2.Structure.StructureType.Organ,
            InputChannelID=channel,
        )
    message = Model_pb2.ModelFamily(CanonicalName=f"{name} family", LanguageCode="en")
    message.ModelVersions.append(version)
    message.FamilyDescription.Name = name
    for channel in channels:
        message.FamilyDescription.InputChannels.add(ChannelID=channel)
    return message


def install(
    server: Server,
    folder: Path,
    message: Model_pb2.ModelFamily,
    source: str,
    weights: dict[str, torch.Tensor] | None = None,
) -> str:
    """Import `message` and attach the module `source` (with a state dict); return the version's id."""
    version = message.ModelVersions[0].ID
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "family.pb").write_bytes(message.SerializeToString())
    (folder / "net.py").write_text(textwrap.dedent(source))
    server.segint("model", "import", str(folder / "family.pb"))
    arguments = ["model", "set", version, "--backend", "pytorch", "--module", str(folder / "net.py")]
    if weights is not None:
        torch.save(weights, folder / "weights.pt")
        arguments += ["--model", str(folder / "weights.pt")]
    server.segint(*arguments, "--approve", "--activate", "--force")
    return version
