"""A client that speaks the HTTP contract as Velocity does, written from the contract alone."""

from __future__ import annotations

import gzip
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2

PROTOBUF = "application/x-protobuf"
SAMPLE = "Centered Orange Square"
POLL_S = 0.02


@dataclass
class Answer:
    """What came back: the status, the headers and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def read(self, message: type[Message]) -> Message:
        return message.FromString(self.body)

    @property
    def details(self) -> str:
        return Model_pb2.BadRequestResponse.FromString(self.body).ExceptionDetails


class Velocity:
    """Velocity's side of the conversation."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        request = urllib.request.Request(self.url + path, data=body, method=method)
        request.add_header("Accept", headers.pop("accept", PROTOBUF))
        if body is not None:
            request.add_header("Content-Type", headers.pop("content_type", PROTOBUF))
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def models(self) -> Model_pb2.ModelsCollection:
        return Model_pb2.ModelsCollection.FromString(self.call("GET", "/api/v2/Model/").body)

    def wait_for_family(self, name: str) -> Model_pb2.ModelFamily:
        """The family of that name, once the list has it: a change takes a moment to reach the gateway."""
        give_up = time.monotonic() + 10
        while True:
            for family in self.models().Models:
                if family.CanonicalName == name:
                    return family
            assert time.monotonic() < give_up, f"{name} is not listed"
            time.sleep(POLL_S)

    def post(self, body: bytes | Model_pb2.ModelInput, model: str = SAMPLE) -> Answer:
        raw = body if isinstance(body, bytes) else body.SerializeToString()
        return self.call("POST", f"/api/v2/Model/{quote(model)}/segmentation", raw)

    def submit(self, body: bytes | Model_pb2.ModelInput, model: str = SAMPLE) -> str:
        answer = self.post(body, model)
        assert answer.status == 200, answer.details
        return Model_pb2.SegmentationTask.FromString(answer.body).SegmentationID

    def progress(self, job: str, model: str = SAMPLE) -> Model_pb2.SegmentationProgress:
        answer = self.call("GET", f"/api/v2/Model/{quote(model)}/segmentation/{job}")
        assert answer.status == 200, answer.details
        return Model_pb2.SegmentationProgress.FromString(answer.body)

    def wait(self, job: str, model: str = SAMPLE, timeout_s: float = 60) -> Model_pb2.SegmentationProgress:
        """Poll until the job has ended; its progress never falls meanwhile."""
        give_up = time.monotonic() + timeout_s
        before = 0
        while True:
            progress = self.progress(job, model)
            assert progress.Progress >= before
            before = progress.Progress
            if progress.Progress == 100 or progress.Errors:
                return progress
            assert time.monotonic() < give_up, f"still at {before} %"
            time.sleep(POLL_S)

    def result(self, job: str, model: str = SAMPLE) -> Model_pb2.ModelOutput:
        answer = self.call("GET", f"/api/v2/Model/{quote(model)}/segmentation/{job}/result")
        assert answer.status == 200, answer.details
        return Model_pb2.ModelOutput.FromString(answer.body)

    def segment(self, body: bytes | Model_pb2.ModelInput, model: str = SAMPLE) -> Model_pb2.ModelOutput:
        job = self.submit(body, model)
        progress = self.wait(job, model)
        assert progress.Progress == 100, progress.Errors
        return self.result(job, model)


def channel(
    image_kji: NDArray[np.int16] | NDArray[np.uint8],
    channel_id: str = "1",
    transform: Primitives3D_pb2.Transform3D | None = None,
) -> Model_pb2.ModelInputChannel:
    """One volume as Velocity would send it."""
    depth, height, width = image_kji.shape
    kind = "Byte" if image_kji.dtype == np.uint8 else "LittleEndianSignedInt16"
    volume = Primitives3D_pb2.VolumeData3D(
        Width=width,
        Height=height,
        Depth=depth,
        Data=gzip.compress(image_kji.astype(image_kji.dtype.newbyteorder("<")).tobytes(), 1),
        DataType=Primitives3D_pb2.VolumeData3D.DataTypes.Value(kind),
    )
    calibrated = Primitives3D_pb2.CalibratedVolume3D(Volume=volume, DataTransform=transform or axial())
    return Model_pb2.ModelInputChannel(ChannelID=channel_id, CalibratedVolume=calibrated, VolumeID="scan")


def axial(spacing: tuple[float, float, float] = (1.0, 1.0, 3.0)) -> Primitives3D_pb2.Transform3D:
    vector = Primitives3D_pb2.Vector3D
    return Primitives3D_pb2.Transform3D(
        XAxisDirection=vector(X=1),
        YAxisDirection=vector(Y=1),
        ZAxisDirection=vector(Z=1),
        VoxelScalingInMM=vector(X=spacing[0], Y=spacing[1], Z=spacing[2]),
        Origin=vector(X=-100, Y=-50, Z=10),
    )


def scan(*channels: Model_pb2.ModelInputChannel) -> Model_pb2.ModelInput:
    information = Model_pb2.ClientInformation(SoftwareVersion="Velocity 4.1")
    return Model_pb2.ModelInput(ClientInformation=information, Channels=channels)


def mask_kji(output: Model_pb2.ModelOutputChannel) -> NDArray[np.uint8]:
    """The mask of one output channel."""
    volume = output.Volume
    assert volume.DataType == Primitives3D_pb2.VolumeData3D.DataTypes.Value("Byte")
    flat = np.frombuffer(gzip.decompress(volume.Data), np.uint8)
    return flat.reshape(volume.Depth, volume.Height, volume.Width)
