"""A scan that cannot end in time as usual, over a real server: run with less where the manifest allows it."""

from __future__ import annotations

import json
import textwrap
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
import pytest

from segint_grpc.home import Home
from segint_grpc.store.store import open_store
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import Velocity, channel, mask_kji, scan
from tests.fakes.past_runs import add_runs
from tests.packages import a_folder

IMAGE = np.random.default_rng(5).integers(-900, 900, (10, 24, 20)).astype(np.int16)
PATIENT, STRICT = "Bright 1", "Bright 2"

MODULE = """
    import torch


    class Bright(torch.nn.Module):
        def forward(self, x):
            return torch.where(x > 0, 9.0, -9.0)
"""

VERSION = """
    [[versions]]
    id = "{name}"
    number = "1.0"
    [[versions.structures]]
    id = "bright"
    color = "#ff7800"
    [versions.runtime]
    backend = "pytorch"
    module_file = "net.py"
    entry = "Bright"
    [versions.inference]
    mode = "sliding_window"
    window = [8, 8, 6]
    flips = ["x"]
    {hurried}
    [versions.output]
    returns = "logits"
"""
HURRIED = "[versions.inference.hurried]\n    overlap = 0.25\n    drop_flips = true"


def manifest() -> str:
    head = '[family]\ncanonical_name = "Bright"\nbody_parts = ["Chest"]\n[[channels]]\nid = "ct"\n'
    versions = (VERSION.format(name=name, hurried=text) for name, text in ((PATIENT, HURRIED), (STRICT, "")))
    return f'{head}modalities = ["CT"]\n' + "".join(map(textwrap.dedent, versions))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hurried")
    files = {"net.py": textwrap.dedent(MODULE).encode()}
    package = a_folder(folder / "model", manifest(), files)
    with serving(folder / "home", job_deadline_s=60) as server:
        server.segint("model", "push", str(package), "--approve")
        for name in (PATIENT, STRICT):
            server.segint("model", "activate", name, "--force")
            with open_store(Home(server.home)) as store:
                add_runs(store, name, [(IMAGE.size, 100.0)] * 6)
        yield server


def test_it_is_run_with_less_and_its_warnings_say_so(server: Server) -> None:
    velocity = Velocity(server.url)
    job = velocity.submit(scan(channel(IMAGE, "ct")), PATIENT)
    assert velocity.wait(job, PATIENT).Progress == 100
    (made,) = velocity.result(job, PATIENT).Channels
    assert np.array_equal(mask_kji(made) > 0, IMAGE > 0)
    path = f"/api/v2/Model/{quote(PATIENT)}/segmentation/{job}/events"
    with urllib.request.urlopen(velocity.url + path, timeout=60) as stream:
        told = next(json.loads(line[5:]) for line in stream if line.startswith(b"data:"))["warnings"][0]
    assert "windows that overlap by 0.25 instead of 0.5, no flips: that is expected to take 15 s" in told
    assert "instead of the usual 2 min" in told
    assert told in " ".join(server.segint("job", "show", job).split())


def test_a_version_that_allows_nothing_refuses_it(server: Server) -> None:
    answer = Velocity(server.url).post(scan(channel(IMAGE, "ct")), STRICT)
    assert answer.status == 413
    assert "expected to take 2 min, from its last 6 runs; a job has 60 s from its posting" in answer.details
