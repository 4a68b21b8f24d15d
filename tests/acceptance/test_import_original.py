"""From the original server's folder to masks in Velocity: nothing but commands that a physicist types."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.acceptance.serving import serving
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.fakes.original_server import PYTORCH, OriginalServer

MODULE = """
import numpy as np
import torch


class BoneNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.limit_hu = torch.nn.Parameter(torch.tensor(0.0), requires_grad=False)

    def forward(self, image):
        return (image > float(self.limit_hu)).astype(np.byte)
"""


def pickled_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What torch.save wrote of a whole trained model, as the original loads it."""
    path = folder / "bone_net.py"
    path.write_text(MODULE)
    spec = importlib.util.spec_from_file_location("bone_net", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bone_net", module)
    spec.loader.exec_module(module)
    net, file = module.BoneNet(), io.BytesIO()
    net.limit_hu.data.fill_(180.0)
    torch.save(net, file)
    return file.getvalue()


def test_a_model_of_the_original_server_gives_its_masks_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = OriginalServer(tmp_path / "old")
    weights = old.file("models/bone_net.pt", pickled_whole(tmp_path, monkeypatch))
    module = old.file("models/bone_net_Xk3d9Qz.py", MODULE.encode())
    number = old.family("Bones")
    old.version(number, "Bones 7", model_type=PYTORCH, model_file=weights, model_module=module)
    image = np.random.default_rng(3).integers(-1000, 1000, (7, 11, 13)).astype(np.int16)
    with serving(tmp_path / "home") as server:
        brought = json.loads(server.segint("import-original", str(old.folder), "--json"))
        assert (brought["families"], brought["files"], brought["notes"]) == (["Bones"], 2, [])
        velocity = Velocity(server.url)
        assert velocity.post(b"", "Bones 7").status == 400
        for stored in json.loads(server.segint("model", "files", "--json"))["files"]:
            server.segint("model", "approve", stored["file"]["sha256"])
        server.segint("model", "check", "Bones 7")
        server.segint("model", "activate", "Bones 7")
        assert velocity.wait_for_family("Bones").ModelVersions[0].Structures[0].FMACode == 5018
        output = velocity.segment(scan(channel(image, "ct")), "Bones 7")
        np.testing.assert_array_equal(mask_kji(output.Channels[0]), image > 180)
        again = json.loads(server.segint("import-original", str(old.folder), "--json"))
        assert (again["families"], again["files"]) == ([], 0)
        assert velocity.segment(scan(channel(image, "ct")), "Bones 7") == output
