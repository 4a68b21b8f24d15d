"""How long a job takes yet, and what is refused because it would take too long, over a real server."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc.home import Home
from segint_grpc.store.store import open_store
from tests.acceptance import example_models
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import Answer, Velocity, channel, scan
from tests.fakes.past_runs import add_runs

IMAGE = np.zeros((4, 32, 32), np.int16)
LARGE = np.zeros((80, 32, 32), np.int16)

STEADY = """
    import os, time
    import torch


    class Steady(torch.nn.Module):
        def forward(self, image, progress):
            progress(0.5)
            while not os.path.exists({gate!r}):
                time.sleep(0.005)
            return image > 0
"""
"""A model that waits, half done, until a file is there."""


class Stand:
    """A server with one slot, a model that waits for the test, and that model's past."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.velocity = Velocity(server.url)
        self.gate = folder / "gate"
        source = STEADY.format(gate=str(self.gate))
        family = example_models.family("Steady", [("1", "liver", (1, 2, 3), "1")])
        self.model = example_models.install(server, folder / "model", family, source)
        with open_store(Home(server.home)) as store:
            add_runs(store, self.model, [(size * IMAGE.size, size * 100.0) for size in (1, 2, 4, 1, 2, 4)])

    def post(self, body: bytes) -> Answer:
        return self.velocity.post(body, self.model)

    @contextmanager
    def events(self, job: str) -> Iterator[Iterator[dict[str, Any]]]:
        path = f"/api/v2/Model/{quote(self.model)}/segmentation/{job}/events"
        with urllib.request.urlopen(self.velocity.url + path, timeout=60) as stream:
            yield (json.loads(line[5:]) for line in stream if line.startswith(b"data:"))


def body(value: int) -> bytes:
    return scan(channel(IMAGE + np.int16(value))).SerializeToString()


def job_of(answer: Answer) -> str:
    assert answer.status == 200, answer.details
    return Model_pb2.SegmentationTask.FromString(answer.body).SegmentationID


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("time-left")
    with serving(folder / "home", slots=1, job_deadline_s=250) as server:
        yield Stand(server, folder)


def test_a_scan_that_takes_longer_than_a_job_may_is_refused_at_once(stand: Stand) -> None:
    answer = stand.velocity.post(scan(channel(LARGE)), stand.model)
    assert answer.status == 413
    assert "expected to take 33 min, from its last 6 runs" in answer.details
    assert "a job has 4 min from its posting (setting job_deadline_s)" in answer.details


def test_time_and_place_are_told_and_a_queue_that_is_too_long_refuses_what_comes(stand: Stand) -> None:
    bodies = [body(value) for value in range(4)]
    first, second = (job_of(stand.post(each)) for each in bodies[:2])
    with stand.events(first) as events:
        running = next(event for event in events if event["percent"] > 20)
    assert running["remaining_low_s"] <= running["remaining_s"] <= running["remaining_high_s"] <= 100
    with stand.events(second) as events:
        waiting = next(event for event in events if event["state"] == "queued")
        assert waiting["jobs_ahead"] == 1
        assert 100 <= waiting["remaining_s"] <= 201
        line = next(line for line in stand.server.segint("status").splitlines() if second in line)
        assert "queued, 1 ahead, " in line
        assert line.endswith(" left")
        assert_refused_later(stand, bodies[2:])
        assert job_of(stand.post(bodies[1])) == second
        stand.gate.touch()
        percents = [event["percent"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    stand.velocity.wait(first, stand.model)


def assert_refused_later(stand: Stand, bodies: list[bytes]) -> None:
    """Fill the queue, and see what it says when it is too long."""
    answer = next(answer for answer in map(stand.post, bodies) if answer.status != 200)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "The segmentations before it are expected to take" in answer.details


def test_what_remains_is_in_the_grpc_stream(stand: Stand) -> None:
    stand.gate.unlink(missing_ok=True)
    job = job_of(stand.post(body(9)))
    with grpc.insecure_channel(stand.server.grpc) as tcp:
        request = segmentation_pb2.WatchProgressRequest(segmentation_id=job)
        watch = SegmentationStub(tcp).WatchProgress(request)
        told = [next(watch).job]
        stand.gate.touch()
        told += [answer.job for answer in watch]
    assert all(
        0 < view.remaining.low_s <= view.remaining.high_s for view in told if view.HasField("remaining")
    )
    assert told[0].HasField("remaining")
    assert not told[-1].HasField("remaining")
