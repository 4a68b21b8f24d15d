"""The client speaks Velocity's HTTP with a real server, and what goes wrong ends as a sentence."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import numpy as np
import pytest
from aiohttp import web

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.events import JobEvent
from segint_grpc.client.masks import decode_masks
from segint_grpc.client.phantom import make_phantom
from segint_grpc.client.request import build_request
from segint_grpc.client.scan import Scan
from segint_grpc.client.segmentation import segment
from segint_grpc.client.velocity import VelocityClient
from segint_grpc.domain.geometry import geometry_of
from tests.fakes.velocity_server import MODEL, MODEL_PATH, PROTOBUF, FakeVelocityServer, Story, voxels


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.legs: list[str] = []
        self.passed: list[tuple[int, int | None]] = []
        self.events: list[JobEvent] = []
        self.farewell = ""

    def leg(self, name: str) -> None:
        self.legs.append(name)

    def bytes_passed(self, passed: int, total: int | None) -> None:
        self.passed.append((passed, total))

    def job(self, event: JobEvent) -> None:
        self.events.append(event)

    def interrupted(self, sentence: str) -> None:
        self.farewell = sentence


@pytest.fixture(scope="module")
def scan() -> Scan:
    return make_phantom((12, 48, 64))


def client_of(server: FakeVelocityServer, patience_s: float = 20) -> VelocityClient:
    return VelocityClient(server.url, poll_s=0.001, patience_s=patience_s)


async def run(server: FakeVelocityServer, scan: Scan, notes: Notes | None = None) -> Model_pb2.ModelOutput:
    async with client_of(server) as client:
        return await segment(client, MODEL, {"CT": scan}, notes or Notes())


async def test_a_scan_is_sent_as_velocity_sends_it_and_its_mask_comes_back(scan: Scan) -> None:
    notes = Notes()
    async with FakeVelocityServer(thresholds={"Bone": 200, "Soft": -50}) as server:
        output = await run(server, scan, notes)
        (post,) = (request for request in server.requests if request.method == "POST")
        (channel,) = server.posted[0].Channels
    assert post.raw_path == f"/api/v2/Model/{MODEL_PATH}/segmentation"
    assert post.headers["Content-Type"] == post.headers["Accept"] == PROTOBUF
    assert "Transfer-Encoding" not in post.headers
    assert np.array_equal(voxels(channel.CalibratedVolume.Volume), scan.image_kji)
    assert geometry_of(channel.CalibratedVolume) == scan.geometry
    bone, soft = decode_masks(output, {"CT": scan})
    assert np.array_equal(bone.mask_kji, scan.image_kji > 200)
    assert np.array_equal(soft.mask_kji, scan.image_kji > -50)
    assert (bone.structure.Name, bone.color) == ("Bone", (255, 120, 0))
    assert notes.legs == ["upload", "queue", "run", "download"]


async def test_the_upload_reports_every_byte_once_and_in_order(scan: Scan) -> None:
    body = build_request([("CT", scan)])
    sent: list[tuple[int, int | None]] = []
    async with FakeVelocityServer() as server, client_of(server) as client:
        await client.post(MODEL, body, lambda passed, total: sent.append((passed, total)))
        (post,) = server.requests
    assert [passed for passed, _ in sent] == sorted(passed for passed, _ in sent)
    assert sent[-1] == (body.size_bytes, body.size_bytes)
    assert post.content_length == body.size_bytes


async def test_the_servers_stages_are_shown_where_it_streams_events(scan: Scan) -> None:
    notes = Notes()
    async with FakeVelocityServer() as server:
        await run(server, scan, notes)
    assert [event.stage for event in notes.events[:3]] == ["queue", "infer", "infer"]


@pytest.mark.parametrize(
    "story",
    [
        Story(offers_events=False),
        Story(answers_events_otherwise=True),
        Story(events_break_after=1),
        Story(drop_polls=2),
    ],
)
async def test_without_events_or_when_they_break_off_the_client_polls_as_velocity_does(
    scan: Scan, story: Story
) -> None:
    notes = Notes()
    async with FakeVelocityServer(story=story) as server:
        output = await run(server, scan, notes)
        assert server.polls == 3
    assert len(output.Channels) == 1
    assert notes.events[-1].percent == 100


async def test_a_post_whose_connection_breaks_is_sent_again(scan: Scan) -> None:
    async with FakeVelocityServer(story=Story(drop_posts=1)) as server:
        await run(server, scan)
        assert sum(request.method == "POST" for request in server.requests) == 2
        assert len(server.posted) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InternalError", errors.JobFailure),
        ("UnknownClientError", errors.ClientMistake),
        ("DecompressionError", errors.Decompression),
        ("DecompressionBufferSizeMismatch", errors.BufferSizeMismatch),
        ("None", errors.JobFailure),
    ],
)
async def test_a_failed_job_raises_its_own_words_and_kind(
    scan: Scan, code: str, kind: type[errors.JobFailure]
) -> None:
    story = Story(error="The model ran out of memory.", error_code=code, offers_events=False)
    async with FakeVelocityServer(story=story) as server:
        with pytest.raises(kind, match="ran out of memory") as failure:
            await run(server, scan)
    assert type(failure.value) is kind


async def test_a_refused_post_raises_the_servers_words_and_is_not_repeated(scan: Scan) -> None:
    async with FakeVelocityServer(
        story=Story(refuse_post=(400, "There is no model X (request id 7)."))
    ) as server:
        with pytest.raises(errors.ServerRefused, match="There is no model X"):
            await run(server, scan)
        assert len(server.requests) == 1


async def test_a_server_without_room_is_told_apart_from_a_refusal(scan: Scan) -> None:
    async with FakeVelocityServer(story=Story(refuse_post=(503, "The queue is full."))) as server:
        with pytest.raises(errors.Unavailable, match="The queue is full"):
            await run(server, scan)


async def test_a_job_that_does_not_end_within_the_patience_raises(scan: Scan) -> None:
    async with (
        FakeVelocityServer(story=Story(hold_at_percent=40)) as server,
        client_of(server, 0.2) as client,
    ):
        with pytest.raises(errors.DeadlineExceeded, match="did not finish"):
            await segment(client, MODEL, {"CT": scan}, Notes())


async def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with VelocityClient(f"127.0.0.1:{port}") as client:
        with pytest.raises(
            errors.ServerUnreachable,
            match=rf"http://127.0.0.1:{port} cannot be reached: Connection refused\. Is .* SEGINT_SERVER",
        ):
            await client.models()


async def test_a_port_that_hangs_up_may_speak_tls() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server, VelocityClient(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(errors.ServerUnreachable, match="https://"):
            await client.models()


@pytest.mark.parametrize("suffix", ["", "/", "/api/v2", "/api/v2/"])
async def test_the_address_may_be_given_as_it_is_typed_into_velocity(suffix: str) -> None:
    async with FakeVelocityServer() as server, VelocityClient(server.url + suffix) as client:
        assert (await client.models()).Models[0].ModelVersions[0].ID == MODEL


async def test_another_kind_of_server_is_recognised() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>a printer</html>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/api/v2/Model/", page)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with VelocityClient(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            with pytest.raises(errors.ServerRefused, match="Is that the right address"):
                await client.models()
    finally:
        await runner.cleanup()


async def test_cancelling_while_the_job_runs_cancels_it_on_the_server(scan: Scan) -> None:
    notes = Notes()
    async with FakeVelocityServer(story=Story(hold_at_percent=40)) as server:
        task = asyncio.create_task(run(server, scan, notes))
        await server.held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.cancelled) == 1
    assert server.cancelled[0] in notes.farewell
    assert "was cancelled" in notes.farewell


async def test_a_server_that_cannot_cancel_is_told_of_truthfully(scan: Scan) -> None:
    notes = Notes()
    story = Story(hold_at_percent=40, offers_delete=False, offers_events=False)
    async with FakeVelocityServer(story=story) as server:
        task = asyncio.create_task(run(server, scan, notes))
        await server.held.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "may still work on it" in notes.farewell


async def test_cancelling_between_upload_and_answer_waits_for_the_job_and_cancels_it(scan: Scan) -> None:
    task: asyncio.Task[Model_pb2.ModelOutput]

    class Impatient(Notes):
        def bytes_passed(self, passed: int, total: int | None) -> None:
            if passed == total:
                task.cancel()

    notes = Impatient()
    async with FakeVelocityServer() as server:
        task = asyncio.create_task(run(server, scan, notes))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.posted) == len(server.cancelled) == 1
    assert "was cancelled" in notes.farewell


async def test_cancelling_during_the_upload_leaves_no_job(scan: Scan) -> None:
    notes = Notes()
    task: asyncio.Task[Model_pb2.ModelOutput]

    class Impatient(Notes):
        def bytes_passed(self, passed: int, total: int | None) -> None:
            task.cancel()

        def interrupted(self, sentence: str) -> None:
            notes.interrupted(sentence)

    shape = (100, 256, 512)  # more, once compressed, than sockets hold on their own
    noise = np.random.default_rng(1).integers(-1024, 3000, shape, dtype=np.int16)
    large = dataclasses.replace(
        scan, image_kji=noise, geometry=dataclasses.replace(scan.geometry, shape_kji=shape)
    )
    async with FakeVelocityServer() as server:
        task = asyncio.create_task(run(server, large, Impatient()))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.posted == []
    assert "the server has no job of it" in notes.farewell
