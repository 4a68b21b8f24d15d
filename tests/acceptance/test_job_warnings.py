"""What a job is looked at for, as Velocity and an administrator of a real server see it."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from tests.acceptance import example_models
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import SAMPLE, Velocity, axial, channel, scan

GIB = 1024**3
HUNGRY = """
    import numpy as np
    import torch


    class Hungry(torch.nn.Module):
        def forward(self, image):
            kept = np.ones((400, image.size), np.uint8)
            return image > int(kept[0, 0])
"""


def last_event(server: Server, job: str) -> Any:
    url = f"{server.url}/api/v2/Model/{quote(SAMPLE)}/segmentation/{job}/events"
    with urllib.request.urlopen(url, timeout=30) as stream:
        return [json.loads(line[5:]) for line in stream if line.startswith(b"data:")][-1]


def test_an_unusual_volume_is_told_in_the_events_the_timeline_and_the_list(tmp_path: Path) -> None:
    image = np.zeros((8, 16, 18), np.int16)
    with serving(tmp_path / "home") as server:
        velocity = Velocity(server.url)
        for number in range(11):
            image[0, 0, 0] = number
            velocity.segment(scan(channel(image)))
        usual = velocity.submit(scan(channel(image, transform=axial((1.1, 1, 3)))))
        assert velocity.wait(usual).Progress == 100
        assert not any("masks before" in warning for warning in last_event(server, usual)["warnings"])

        odd = velocity.submit(scan(channel(image, transform=axial((2, 3, 5)))))
        assert velocity.wait(odd).Progress == 100
        words = "liver has 35 ml; the 12 masks before had 3.5 ml to 3.8 ml"
        assert any(words in warning for warning in last_event(server, odd)["warnings"])
        shown = json.loads(server.segint("job", "show", odd, "--json"))
        assert any(words in event["text"] for event in shown["timeline"])
        listed = json.loads(server.segint("job", "list", "--warnings", "--limit", "0", "--json"))
        (record,) = (entry for entry in listed if entry["segmentation_id"] == odd)
        assert any(words in warning for warning in record["warnings"])


def test_a_scan_that_memory_cannot_hold_is_refused_over_http_with_both_numbers(tmp_path: Path) -> None:
    with serving(tmp_path / "home", slot_memory_bytes=GIB) as server:
        velocity = Velocity(server.url)
        family = example_models.family("Hungry", [("1", "any", (0, 0, 0), "1")])
        model = example_models.install(server, tmp_path / "model", family, HUNGRY)
        velocity.wait_for_family("Hungry family")
        for depth in (10, 20, 40):
            velocity.segment(scan(channel(np.zeros((depth, 60, 60), np.int16))), model)
        large = scan(channel(np.zeros((100, 200, 200), np.int16)))
        refused = velocity.post(large, model)
        assert refused.status == 413
        found = re.search(
            r"4000000 voxels, .*'Hungry' is expected to need ([\d.]+) GiB of memory.*may take 1\.00 GiB "
            r"\(setting slot_memory_bytes\)",
            refused.details,
        )
        assert found, refused.details
        assert 1.3 < float(found[1]) < 1.8
        assert velocity.segment(scan(channel(np.zeros((30, 60, 60), np.int16))), model).Channels
        jobs = json.loads(server.segint("job", "list", "--model", model, "--limit", "0", "--json"))
        assert len(jobs) == 4
