from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2, models_pb2, models_pb2_grpc, segmentation_pb2, segmentation_pb2_grpc
from tests.acceptance import example_models
from tests.acceptance.serving import Server
from tests.acceptance.velocity import SAMPLE, Velocity, channel, mask_kji, scan

IMAGE = np.random.default_rng(5).integers(-1000, 1000, (8, 70, 66)).astype(np.int16)


@pytest.fixture
def stub(server: Server) -> Iterator[segmentation_pb2_grpc.SegmentationStub]:
    with grpc.insecure_channel(server.grpc) as tcp:
        yield segmentation_pb2_grpc.SegmentationStub(tcp)


def requests(body: bytes, model: str = SAMPLE, caller: str = "") -> Iterator[segmentation_pb2.SubmitRequest]:
    header = segmentation_pb2.SubmitHeader(model_id=model, size_bytes=len(body), caller=caller)
    yield segmentation_pb2.SubmitRequest(header=header)
    for start in range(0, len(body), 10_000):
        yield segmentation_pb2.SubmitRequest(chunk=body[start : start + 10_000])


def body() -> bytes:
    return scan(channel(IMAGE)).SerializeToString()


def test_an_internal_tool_gets_the_same_masks_over_grpc(
    stub: segmentation_pb2_grpc.SegmentationStub, velocity: Velocity
) -> None:
    job = stub.Submit(requests(body())).task.SegmentationID
    request = segmentation_pb2.WatchProgressRequest(segmentation_id=job)
    watched = [answer.job for answer in stub.WatchProgress(request)]
    assert watched[-1].state == job_pb2.JOB_STATE_SUCCEEDED
    percents = [view.progress.Progress for view in watched]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    parts = list(stub.GetResult(segmentation_pb2.GetResultRequest(segmentation_id=job, model_id=SAMPLE)))
    raw = b"".join(part.chunk for part in parts[1:])
    assert parts[0].header.size_bytes == len(raw)
    assert parts[0].header.sha256 == hashlib.sha256(raw).hexdigest()
    mine = Model_pb2.ModelOutput.FromString(raw)
    theirs = velocity.segment(scan(channel(IMAGE)))
    np.testing.assert_array_equal(mask_kji(mine.Channels[0]), mask_kji(theirs.Channels[0]))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda s: s.GetProgress(segmentation_pb2.GetProgressRequest(segmentation_id="x")), "NOT_FOUND"),
        (lambda s: s.Submit(iter(())), "INVALID_ARGUMENT"),
        (lambda s: s.Submit(requests(b"\xff")), "INVALID_ARGUMENT"),
        (lambda s: s.Submit(requests(body(), "no such model")), "NOT_FOUND"),
        (lambda s: s.Submit(iter([segmentation_pb2.SubmitRequest(chunk=b"")])), "INVALID_ARGUMENT"),
    ],
)
def test_errors_have_a_fitting_status(
    stub: segmentation_pb2_grpc.SegmentationStub, call: object, code: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(stub)  # type: ignore[operator]
    assert caught.value.code() is getattr(grpc.StatusCode, code)
    assert "Traceback" not in caught.value.details()


def test_a_body_shorter_than_announced_is_refused(stub: segmentation_pb2_grpc.SegmentationStub) -> None:
    whole = list(requests(body()))
    with pytest.raises(grpc.RpcError, match="ended after") as caught:
        stub.Submit(iter(whole[:-1]))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_result_of_an_unfinished_and_of_a_cancelled_job_is_refused(
    stub: segmentation_pb2_grpc.SegmentationStub, server: Server, tmp_path: Path
) -> None:
    source = (
        "import time, torch\nclass Long(torch.nn.Module):\n    def forward(self, image):\n"
        "        time.sleep(600)\n"
    )
    family = example_models.family("Long", [("1", "any", (0, 0, 0), "1")])
    model = example_models.install(server, tmp_path, family, source)
    job = stub.Submit(requests(body(), model)).task.SegmentationID
    for words in ("still processing", "cancelled"):
        with pytest.raises(grpc.RpcError, match=words) as caught:
            list(stub.GetResult(segmentation_pb2.GetResultRequest(segmentation_id=job)))
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        view = stub.Cancel(segmentation_pb2.CancelRequest(segmentation_id=job)).job
        assert view.state == job_pb2.JOB_STATE_CANCELLED


def test_the_same_body_from_another_caller_is_another_job(
    stub: segmentation_pb2_grpc.SegmentationStub, server: Server, tmp_path: Path
) -> None:
    source = (
        "import time, torch\nclass Brief(torch.nn.Module):\n    def forward(self, image):\n"
        "        time.sleep(1)\n        return image > 0\n"
    )
    family = example_models.family("Brief", [("1", "any", (0, 0, 0), "1")])
    model = example_models.install(server, tmp_path, family, source)
    first = stub.Submit(requests(body(), model, "a"))
    again = stub.Submit(requests(body(), model, "a"))
    other = stub.Submit(requests(body(), model, "b"))
    assert (first.repeated_post, again.repeated_post, other.repeated_post) == (False, True, False)
    assert again.task.SegmentationID == first.task.SegmentationID != other.task.SegmentationID


def test_administration_needs_a_token_over_tcp_and_none_on_the_admin_socket(server: Server) -> None:
    request = models_pb2.ListFamiliesRequest()
    with grpc.insecure_channel(server.grpc) as tcp, pytest.raises(grpc.RpcError) as caught:
        models_pb2_grpc.ModelsStub(tcp).ListFamilies(request)
    assert "segint token create" in caught.value.details()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with grpc.insecure_channel(f"unix:{server.socket}") as unix:
        families = models_pb2_grpc.ModelsStub(unix).ListFamilies(request).families
    assert any(family.family.CanonicalName == "Centered Square" for family in families)


def test_every_job_can_be_watched_by_nobody_without_a_token_over_tcp(
    server: Server, velocity: Velocity
) -> None:
    request = segmentation_pb2.WatchJobsRequest()
    with grpc.insecure_channel(server.grpc) as tcp, pytest.raises(grpc.RpcError) as caught:
        list(segmentation_pb2_grpc.SegmentationStub(tcp).WatchJobs(request))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with grpc.insecure_channel(f"unix:{server.socket}") as unix:
        watch = segmentation_pb2_grpc.SegmentationStub(unix).WatchJobs(request)
        assert any(family.CanonicalName == "Centered Square" for family in next(watch).models.Models)
        job = velocity.submit(scan(channel(IMAGE)))
        percents = []
        for answer in watch:
            percents += [news.progress.Progress for news in answer.jobs if news.segmentation_id == job]
            if percents and percents[-1] == 100:
                break
        watch.cancel()
    assert percents == sorted(percents)


def test_events_tell_percent_and_stage_until_the_end(velocity: Velocity) -> None:
    job = velocity.submit(scan(channel(IMAGE)))
    path = f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation/{job}/events"
    with urllib.request.urlopen(velocity.url + path, timeout=30) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        events = [json.loads(line[5:]) for line in stream if line.startswith(b"data:")]
    assert events[-1]["percent"] == 100
    assert events[-1]["stage"] == "done"


def test_the_log_follows_one_request_through_every_process(server: Server, velocity: Velocity) -> None:
    path = f"/api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation"
    answer = velocity.call("POST", path, body(), X_Request_Id="follow-me-1")
    job = Model_pb2.SegmentationTask.FromString(answer.body).SegmentationID
    velocity.wait(job)
    lines = {
        name: [json.loads(line) for line in (server.home / "logs" / f"{name}.log").read_text().splitlines()]
        for name in ("gateway", "core")
    }
    for records in lines.values():
        assert any(record.get("request_id") == "follow-me-1" for record in records)
    assert any(
        record.get("request_id") == "follow-me-1" and record.get("job_id") == job
        for record in lines["core"]
        if record["message"] == "run ended"
    )


def test_metrics_tell_jobs_stages_and_bytes(velocity: Velocity) -> None:
    velocity.segment(scan(channel(IMAGE)))
    text = velocity.call("GET", "/metrics", accept="text/plain").body.decode()
    for words in ("requests", "jobs", "queue", "stage", "bytes"):
        assert words in text
    assert SAMPLE in text
