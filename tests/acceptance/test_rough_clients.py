"""Clients that go away, come twice, dawdle and change their mind, all at once: the server serves the next."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import grpc
import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2, segmentation_pb2_grpc
from tests.acceptance import example_models
from tests.acceptance.serving import Server, serving
from tests.acceptance.velocity import PROTOBUF, SAMPLE, Velocity, channel, scan

MODELS = {
    "a/b": "return image > 0",
    "50% off, günstig": "return image > 0",
    "Raises": "raise ValueError",
    "Exits": "import os; os._exit(3)",
    "Sleeps": "import time; time.sleep(600)",
    "Holds the GIL": "import ctypes; ctypes.PyDLL(None).sleep(600)",
}
ENDLESS = ("Sleeps", "Holds the GIL")


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rough")
    with serving(folder / "home", slots=1) as server:
        for number, (name, code) in enumerate(MODELS.items()):
            install(server, folder / str(number), name, code)
        yield server


def install(server: Server, folder: Path, name: str, code: str) -> str:
    source = f"import torch\nclass Net(torch.nn.Module):\n    def forward(self, image):\n        {code}\n"
    family = example_models.family(name, [("1", "any", (0, 0, 0), "1")])
    return example_models.install(server, folder, family, source)


def body(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(-1000, 1000, (6, 40, 40)).astype(np.int16)
    return scan(channel(image)).SerializeToString()


def path_of(model: str, job: str = "") -> str:
    return f"/api/v2/Model/{quote(model, safe='')}/segmentation{'/' + job if job else ''}"


def post(velocity: Velocity, seed: int, model: str) -> str:
    answer = velocity.call("POST", path_of(model), body(seed))
    assert answer.status == 200, answer.details
    return Model_pb2.SegmentationTask.FromString(answer.body).SegmentationID


def ended(velocity: Velocity, job: str, model: str) -> Model_pb2.SegmentationProgress:
    give_up = time.monotonic() + 60
    while True:
        answer = velocity.call("GET", path_of(model, job))
        progress = Model_pb2.SegmentationProgress.FromString(answer.body)
        if progress.Progress == 100 or progress.Errors:
            return progress
        assert time.monotonic() < give_up, f"{model} is still at {progress.Progress} %"
        time.sleep(0.02)


def cut_off(server: Server, raw: bytes, sent: int) -> None:
    """Post `raw`, and go away after `sent` bytes of it."""
    host, _, port = server.http.rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST {path_of(SAMPLE)} HTTP/1.1\r\nHost: segint\r\nContent-Type: {PROTOBUF}\r\n"
        connection.sendall(f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw[:sent])


class Rough(threading.Thread):
    """Posts, goes away and cancels by chance, and notes what was acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self.server, self.chance, self.number = server, random.Random(number), number
        self.velocity = Velocity(server.url)
        self.acknowledged: list[tuple[str, str]] = []

    def run(self) -> None:
        for seed in range(self.number * 1000, self.number * 1000 + 25):
            self.act(seed)

    def act(self, seed: int) -> None:
        if self.chance.random() < 0.2:
            raw = body(seed)
            cut_off(self.server, raw, self.chance.randrange(len(raw)))
            return
        model = self.chance.choice([SAMPLE, *MODELS])
        job = post(self.velocity, seed, model)
        self.acknowledged.append((job, model))
        if model in ENDLESS or self.chance.random() < 0.2:
            time.sleep(self.chance.choice([0, 0, 0.05]))
            assert self.velocity.call("DELETE", path_of(model, job)).status == 200


def test_every_acknowledged_job_ends_whatever_the_others_do(rough: Server) -> None:
    clients = [Rough(rough, number) for number in range(1, 5)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    velocity = Velocity(rough.url)
    acknowledged = [job for client in clients for job in client.acknowledged]
    assert len(acknowledged) > 50
    for job, model in acknowledged:
        progress = ended(velocity, job, model)
        assert progress.Progress == 100 or model not in (SAMPLE, "a/b") or "cancelled" in progress.Errors
    velocity.segment(body(1))
    assert not list((rough.home / "media" / "segmentation").glob(".*"))
    give_up = time.monotonic() + 10
    while list((rough.home / "cache" / "voxels").iterdir()):
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_eight_identical_posts_at_once_are_one_job(rough: Server) -> None:
    velocity = Velocity(rough.url)
    jobs: list[str] = []
    posters = [threading.Thread(target=lambda: jobs.append(post(velocity, 7, "Sleeps"))) for _ in range(8)]
    for poster in posters:
        poster.start()
    for poster in posters:
        poster.join()
    assert len(jobs) == 8
    assert len(set(jobs)) == 1
    assert velocity.call("DELETE", path_of("Sleeps", jobs[0])).status == 200
    again = post(velocity, 7, "Sleeps")
    assert again != jobs[0]
    assert velocity.call("DELETE", path_of("Sleeps", again)).status == 200


def test_an_upload_that_trickles_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    def trickle() -> Iterator[segmentation_pb2.SubmitRequest]:
        header = segmentation_pb2.SubmitHeader(model_id=SAMPLE)
        yield segmentation_pb2.SubmitRequest(header=header)
        for value in body(1):
            yield segmentation_pb2.SubmitRequest(chunk=bytes([value]))
            time.sleep(0.05)

    with serving(tmp_path / "home", job_deadline_s=1) as server:
        with grpc.insecure_channel(server.grpc) as tcp, pytest.raises(grpc.RpcError) as caught:
            segmentation_pb2_grpc.SegmentationStub(tcp).Submit(trickle())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "within 1 s" in caught.value.details()
        assert not list((server.home / "media" / "segmentation").iterdir())


def test_a_stop_waits_for_nobody_longer_than_the_grace(tmp_path: Path) -> None:
    with serving(tmp_path / "home", stop_grace_s=1) as server:
        model = install(server, tmp_path / "model", "Holds the GIL", MODELS["Holds the GIL"])
        velocity = Velocity(server.url)
        job = post(velocity, 1, model)
        while velocity.progress(job, model).Progress < 10:
            time.sleep(0.02)
        never = threading.Event()
        with grpc.insecure_channel(server.grpc) as tcp:
            stub = segmentation_pb2_grpc.SegmentationStub(tcp)
            watch = stub.WatchProgress(segmentation_pb2.WatchProgressRequest(segmentation_id=job))
            assert next(watch).job.segmentation_id == job
            upload = stub.Submit.future(stuck(never))
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 5
            for call in (watch, upload):
                with pytest.raises(grpc.RpcError) as caught:
                    list(call) if call is watch else call.result()
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            never.set()


def stuck(never: threading.Event) -> Iterator[segmentation_pb2.SubmitRequest]:
    yield segmentation_pb2.SubmitRequest(header=segmentation_pb2.SubmitHeader(model_id=SAMPLE))
    yield segmentation_pb2.SubmitRequest(chunk=body(2)[:1000])
    never.wait(60)


def test_readiness_follows_the_fork_server(rough: Server) -> None:
    velocity = Velocity(rough.url)
    for _ in range(2):
        for child in rough.find("-m segint_grpc").children():
            child.kill()
        for status in (503, 200):
            give_up = time.monotonic() + 60
            while velocity.call("GET", "/readyz").status != status:
                assert time.monotonic() < give_up
                time.sleep(0.02)
    velocity.segment(body(3))
