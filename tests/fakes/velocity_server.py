"""A server of Velocity's HTTP interface in a few lines: real protobuf over real HTTP, one job's story told.

Its model marks, for each structure, the voxels above the threshold in `thresholds`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2

PROTOBUF = "application/x-protobuf"
MODEL = "Bone & Marrow/1 °"
MODEL_PATH = "Bone%20%26%20Marrow%2F1%20%C2%B0"


def structure(name: str, color: tuple[int, int, int], channel_id: str = "CT") -> Model_pb2.Structure:
    red, green, blue = color
    return Model_pb2.Structure(
        Name=name,
        StructureID=name.lower(),
        InputChannelID=channel_id,
        Type=Model_pb2.Structure.Organ,
        Color=Model_pb2.ColorRGB(R=red, G=green, B=blue),
    )


@dataclass
class Story:
    """What happens to jobs here."""

    percents: tuple[int, ...] = (0, 40, 100)
    error: str = ""
    error_code: str = "None"
    offers_events: bool = True
    answers_events_otherwise: bool = False
    events_break_after: int | None = None
    drop_posts: int = 0
    drop_polls: int = 0
    refuse_post: tuple[int, str] | None = None
    offers_delete: bool = True
    spoil_result: bool = False
    hold_at_percent: int | None = None


@dataclass
class FakeVelocityServer:
    """Use as `async with FakeVelocityServer(...) as server`; `server.url` is where it answers."""

    story: Story = field(default_factory=Story)
    thresholds: dict[str, int] = field(default_factory=lambda: {"Bone": 200})
    channel_ids: tuple[str, ...] = ("CT",)
    posted: list[Model_pb2.ModelInput] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    polls: int = 0
    held: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=0)
        job = "/api/v2/Model/{model}/segmentation/{job}"
        app.add_routes(
            [
                web.get("/api/v2/Model/", self._models),
                web.post("/api/v2/Model/{model}/segmentation", self._post),
                web.get(job, self._progress),
                web.get(job + "/result", self._result),
                web.get(job + "/events", self._events),
                web.delete(job, self._cancel),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.released.set()
        await self._runner.cleanup()

    @property
    def models(self) -> Model_pb2.ModelsCollection:
        first = self.channel_ids[0]
        version = Model_pb2.ModelVersion(
            ID=MODEL,
            MajorVersion=1,
            MinorVersion=2,
            Structures=[structure(name, (255, 120, 0), first) for name in self.thresholds],
        )
        channels = [
            Model_pb2.ModelChannelDescription(ChannelID=channel_id) for channel_id in self.channel_ids
        ]
        description = Model_pb2.ModelFamilyDescription(Name="Bones", Modalities="CT", InputChannels=channels)
        family = Model_pb2.ModelFamily(FamilyDescription=description, ModelVersions=[version])
        return Model_pb2.ModelsCollection(Models=[family])

    async def _models(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        return _answer(self.models)

    async def _post(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.story.refuse_post:
            status, details = self.story.refuse_post
            await request.content.read()
            refusal = Model_pb2.BadRequestResponse(ErrorMessage="Invalid request.", ExceptionDetails=details)
            return _answer(refusal, status)
        body = b"".join([chunk async for chunk in request.content.iter_any()])
        if self.story.drop_posts:
            self.story.drop_posts -= 1
            _drop(request)
        self.posted.append(Model_pb2.ModelInput.FromString(body))
        return _answer(Model_pb2.SegmentationTask(SegmentationID=str(uuid.uuid4())))

    async def _progress(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if self.story.drop_polls:
            self.story.drop_polls -= 1
            _drop(request)
        percent = self.story.percents[min(self.polls, len(self.story.percents) - 1)]
        self.polls += 1
        if self.story.hold_at_percent == percent:
            self.held.set()
            self.polls -= 1
        if self.story.error:
            code = Model_pb2.SegmentationProgress.ErrorCodes.Value(self.story.error_code)
            return _answer(
                Model_pb2.SegmentationProgress(Progress=0, Errors=self.story.error, ErrorCode=code)
            )
        return _answer(Model_pb2.SegmentationProgress(Progress=percent))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if not self.story.offers_events:
            return _answer(Model_pb2.BadRequestResponse(ExceptionDetails="no such path"), 404)
        if self.story.answers_events_otherwise:
            return _answer(Model_pb2.SegmentationProgress(Progress=7))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        for number, percent in enumerate(self.story.percents):
            if number == self.story.events_break_after:
                _drop(request)
            await response.write(_event(percent))
            if self.story.hold_at_percent == percent:
                self.held.set()
                await self.released.wait()
        return response

    async def _result(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        output = Model_pb2.ModelOutput(ModelID=MODEL, ProcesserVersion="1.2", LanguageCode="en")
        volume = self.posted[-1].Channels[0].CalibratedVolume.Volume
        image = voxels(volume)
        for name, threshold in self.thresholds.items():
            inside = (image > threshold).astype(np.uint8)
            output.Channels.add(
                Structure=structure(name, (255, 120, 0), self.channel_ids[0]), Volume=_mask_volume(inside)
            )
        if self.story.spoil_result:
            output.Channels[0].Volume.Width += 1
        return _answer(output)

    async def _cancel(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        if not self.story.offers_delete:
            return _answer(Model_pb2.BadRequestResponse(ErrorMessage="Invalid request."), 403)
        self.cancelled.append(request.match_info["job"])
        self.released.set()
        return _answer(Model_pb2.SegmentationProgress(Errors="The job was cancelled."))


def voxels(volume: Primitives3D_pb2.VolumeData3D) -> NDArray[np.int16]:
    """The volume as the interface defines it, by the standard library's gzip."""
    flat = np.frombuffer(gzip.decompress(volume.Data), "<i2")
    return flat.reshape(volume.Depth, volume.Height, volume.Width).astype(np.int16)


def _mask_volume(inside: NDArray[np.uint8]) -> Primitives3D_pb2.VolumeData3D:
    depth, height, width = inside.shape
    return Primitives3D_pb2.VolumeData3D(
        Width=width,
        Height=height,
        Depth=depth,
        Data=gzip.compress(inside.tobytes(), 1),
        DataType=Primitives3D_pb2.VolumeData3D.Byte,
    )


def _event(percent: int) -> bytes:
    state = "queued" if percent == 0 else "succeeded" if percent == 100 else "running"
    data = {"percent": percent, "stage": "infer" if percent else "queue", "state": state, "jobs_ahead": 0}
    return f"event: progress\ndata: {json.dumps(data)}\n\n".encode()


def _answer(message: Model_pb2.ModelsCollection | object, status: int = 200) -> web.Response:
    return web.Response(body=message.SerializeToString(), status=status, content_type=PROTOBUF)  # type: ignore[attr-defined]


def _drop(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()
    raise ConnectionResetError
