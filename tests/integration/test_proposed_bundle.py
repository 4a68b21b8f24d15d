"""A bundle becomes a package by one command, and the package is accepted as it came out."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import torch

from tests.integration.test_package_cli import SEGINT
from tests.real_bundles import METADATA, inference, transforms, write_bundle

NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, image):
        soft = torch.where((image > -100) & (image < 150), 2.0, 0.0)
        bone = torch.where(image > self.level, 3.0, 0.0)
        return torch.cat([torch.ones_like(image), soft, bone], dim=1)
"""


def a_bundle(folder: Path) -> Path:
    """A bundle that finds what is soft and what is bone in a CT."""
    config: dict[str, Any] = inference(network_def={"_target_": "scripts.net.Net"})
    before = transforms(config, "preprocessing")
    before[3]["pixdim"] = [3.0, 3.0, 3.0]
    del before[4]
    config["inferer"] = {"_target_": "SimpleInferer"}
    names = {"0": "background", "1": "Liver", "2": "Rib"}
    formats = {
        **METADATA["network_data_format"],
        "outputs": {"pred": {"num_channels": 3, "channel_def": names}},
    }
    write_bundle(
        folder, config, {**METADATA, "network_data_format": formats}, weights={"level": torch.tensor(200.0)}
    )
    (folder / "scripts").mkdir()
    (folder / "scripts" / "__init__.py").write_text("")
    (folder / "scripts" / "net.py").write_text(NET)
    return folder


def test_what_init_makes_of_a_bundle_passes_the_check(tmp_path: Path) -> None:
    bundle = a_bundle(tmp_path / "organs")
    for words in (["init", str(tmp_path / "my"), "--from", str(bundle)], ["check", str(tmp_path / "my")]):
        done = subprocess.run(
            [SEGINT, "model", *words], capture_output=True, text=True, check=False, timeout=110
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "finds Liver" in done.stderr
    assert done.stdout == "Two structures 0.3 passed its check.\n"
