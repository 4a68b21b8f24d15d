"""A model by JSON alone: typed at an independent client, checked on a real scan, used over HTTP."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segint_grpc.client.scan import Scan
from segint_grpc.client.scans import read_scan
from tests.acceptance.serving import serving
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.buf import needs_buf
from tests.fakes.grpcurl import buf_curl
from tests.scans_on_disk import SHARED_DATA, needs_shared_data

pytestmark = [needs_buf, needs_shared_data]

MIB = 1024 * 1024
MODULE = b"""
import torch


class Trained(torch.nn.Module):
    # Like one that was trained on patients, it finds nothing in the small phantoms of a check.
    def __init__(self):
        super().__init__()
        self.register_buffer("limit_hu", torch.tensor(0))

    def forward(self, image):
        return (image > int(self.limit_hu)) & (image.size > 10**6)
"""


class Curl:
    """Types JSON at segint.v1.Models on the unix socket."""

    def __init__(self, socket: str) -> None:
        self.socket = socket

    def call(self, method: str, *requests: dict[str, Any]) -> list[Any]:
        """Return the answers, each as JSON."""
        words = ["-plaintext", "-unix", "-d", "@", self.socket, f"segint.v1.Models/{method}"]
        typed = "\n".join(map(json.dumps, requests))
        done = subprocess.run(
            buf_curl(words), input=typed, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return list(documents(done.stdout))

    def send(self, name: str, content: bytes) -> dict[str, str]:
        """Stream a file in, in chunks; return how a runtime names it."""
        sha256 = hashlib.sha256(content).hexdigest()
        header = {"header": {"name": name, "size_bytes": len(content), "sha256": sha256}}
        pieces = (content[at : at + MIB] for at in range(0, len(content), MIB))
        chunks = ({"chunk": base64.b64encode(piece).decode()} for piece in pieces)
        (answer,) = self.call("UploadFile", header, *chunks)
        assert answer["file"]["sha256"] == sha256
        return {"sha256": sha256}


def documents(text: str) -> Iterator[Any]:
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        found, end = decoder.raw_decode(rest)
        yield found
        rest = rest[end:].strip()


def weights(limit_hu: int) -> bytes:
    file = io.BytesIO()
    torch.save({"limit_hu": torch.tensor(limit_hu)}, file)
    return file.getvalue()


def posted(ct: Scan) -> Any:
    return scan(channel(ct.image_kji, "1", ct.geometry.to_transform()))


def test_a_family_typed_as_json_draws_the_right_mask_on_a_full_size_scan(tmp_path: Path) -> None:
    ct = read_scan(SHARED_DATA / "ct_thorax_dicom")
    assert ct.image_kji.shape == (20, 512, 512)
    with serving(tmp_path / "home") as server:
        curl, velocity = Curl(server.socket), Velocity(server.url)
        versions = [{"ID": "Bones 1.0", "MajorVersion": 1, "Structures": [{"Name": "Bone"}]}]
        family = {"CanonicalName": "Bones", "ModelVersions": versions}
        curl.call("CreateFamily", {"family": family, "modalities": ["CT"], "body_parts": ["Chest"]})
        module, model = curl.send("trained.py", MODULE), curl.send("trained.pt", weights(180))
        runtime: dict[str, Any] = {"backend": "pytorch", "module_file": module, "model_file": model}
        curl.call("SetRuntime", {"version_id": "Bones 1.0", "runtime": runtime})
        curl.call("ApproveFile", module)

        report = curl.call("CheckVersion", {"version_id": "Bones 1.0"})[-1]["report"]
        assert not report.get("passed")
        assert "add a scan on which it finds its structures" in report["steps"][-1]["finding"]
        runtime["check_scan"] = curl.send("patient.pb", posted(ct).SerializeToString())
        curl.call("SetRuntime", {"version_id": "Bones 1.0", "runtime": runtime})
        report = curl.call("CheckVersion", {"version_id": "Bones 1.0"})[-1]["report"]
        assert report["passed"], report
        assert all(int(step.get("peakMemoryBytes", 0)) < 1024 * MIB for step in report["steps"])

        (activated,) = curl.call("ActivateVersion", {"version_id": "Bones 1.0"})
        assert activated["version"]["offered"]
        velocity.wait_for_family("Bones")
        output = velocity.segment(posted(ct), "Bones 1.0")
        np.testing.assert_array_equal(mask_kji(output.Channels[0]), ct.image_kji > 180)
