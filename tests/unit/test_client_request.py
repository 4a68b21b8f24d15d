"""The body that is sent is a ModelInput as protobuf would write it, with the scan's voxels and place."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from generated.radiomics import Model_pb2
from segint_grpc.client.request import CHUNK_BYTES, build_request
from segint_grpc.client.scan import Scan, frame_of
from segint_grpc.domain.geometry import Geometry, geometry_of


def scan(shape: tuple[int, int, int] = (3, 4, 5), seed: int = 1) -> Scan:
    image = np.random.default_rng(seed).integers(-1024, 3000, shape).astype(np.int16)
    geometry = Geometry(shape, (0.7, 0.9, 2.5), (0, 1, 0), (0, 0, -1), (-1, 0, 0), (-12.5, 30.25, -804.5))
    return Scan(image, geometry, frame_of(geometry), "made for a test")


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (40, 64, 128)])
def test_the_pieces_are_what_protobuf_would_write(shape: tuple[int, int, int]) -> None:
    body = b"".join(build_request([("CT", scan(shape))]).chunks())
    assert Model_pb2.ModelInput.FromString(body).SerializeToString(deterministic=True) == body


def test_the_message_holds_the_voxels_little_endian_slice_by_slice_and_the_place() -> None:
    sent = scan()
    message = Model_pb2.ModelInput.FromString(b"".join(build_request([("CT", sent)]).chunks()))
    (channel,) = message.Channels
    volume = channel.CalibratedVolume.Volume
    assert channel.ChannelID == "CT"
    assert (volume.Depth, volume.Height, volume.Width) == (3, 4, 5)
    assert gzip.decompress(volume.Data) == sent.image_kji.astype("<i2").tobytes()
    assert geometry_of(channel.CalibratedVolume) == sent.geometry
    assert message.ClientInformation.SoftwareVersion.startswith("segint ")


def test_several_channels_keep_their_order_and_their_own_size() -> None:
    body = build_request([("PET", scan((2, 3, 4))), ("CT", scan((5, 6, 7), seed=2))])
    message = Model_pb2.ModelInput.FromString(b"".join(body.chunks()))
    assert [(c.ChannelID, c.CalibratedVolume.Volume.Depth) for c in message.Channels] == [
        ("PET", 2),
        ("CT", 5),
    ]


def test_the_body_says_nothing_of_where_the_scan_came_from() -> None:
    named = Scan(scan().image_kji, scan().geometry, scan().frame, "/patients/Doe_John")
    assert b"Doe" not in b"".join(build_request([("CT", named)]).chunks())


def test_a_body_can_be_sent_twice_in_bounded_chunks() -> None:
    body = build_request([("CT", scan((20, 128, 128)))])
    first, second = (list(body.chunks()) for _ in range(2))
    assert b"".join(first) == b"".join(second)
    assert max(map(len, first)) <= CHUNK_BYTES
    assert sum(map(len, first)) == body.size_bytes
