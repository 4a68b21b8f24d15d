"""Lays a ModelInput out as it goes over the wire, without a second copy of the compressed voxels.

The pieces, joined, are exactly what `ModelInput.SerializeToString` would give: fields in ascending order,
each submessage after its length (Protocol Buffers encoding, "Length-Delimited Records").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import isal.isal_zlib
import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import __version__
from segint_grpc.client.scan import Scan

GZIP_WINDOW_BITS = 31
"""zlib's number for a 32 KiB window in a gzip envelope."""
COMPRESSION_LEVEL = 1
CHUNK_BYTES = 256 * 1024
LENGTH_DELIMITED = 2


@dataclass(frozen=True)
class RequestBody:
    """A serialized ModelInput in pieces, which can be sent any number of times."""

    pieces: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        """The length of the whole body, for Content-Length."""
        return sum(map(len, self.pieces))

    def chunks(self) -> Iterator[memoryview]:
        """Yield the body in views of at most `CHUNK_BYTES`."""
        for piece in self.pieces:
            for start in range(0, len(piece), CHUNK_BYTES):
                yield memoryview(piece)[start : start + CHUNK_BYTES]


def build_request(channels: Sequence[tuple[str, Scan]]) -> RequestBody:
    """Return the body that asks for a segmentation of `channels`, pairs of ChannelID and scan."""
    client = Model_pb2.ClientInformation(SoftwareVersion=f"segint {__version__}")
    pieces = [Model_pb2.ModelInput(ClientInformation=client).SerializeToString()]
    for channel_id, scan in channels:
        pieces.extend(_submessage(Model_pb2.ModelInput.CHANNELS_FIELD_NUMBER, _channel(channel_id, scan)))
    return RequestBody(tuple(pieces))


def _channel(channel_id: str, scan: Scan) -> list[bytes]:
    head = Model_pb2.ModelInputChannel(ChannelID=channel_id).SerializeToString()
    number = Model_pb2.ModelInputChannel.CALIBRATEDVOLUME_FIELD_NUMBER
    return [head, *_submessage(number, _calibrated_volume(scan))]


def _calibrated_volume(scan: Scan) -> list[bytes]:
    transform = scan.geometry.to_transform()
    tail = Primitives3D_pb2.CalibratedVolume3D(DataTransform=transform).SerializeToString()
    return [*_submessage(Primitives3D_pb2.CalibratedVolume3D.VOLUME_FIELD_NUMBER, _volume(scan)), tail]


def _volume(scan: Scan) -> list[bytes]:
    depth, height, width = scan.geometry.shape_kji
    # DataType LittleEndianSignedInt16 and CompressionMethod Gzip are 0, and zeros are not written.
    head = Primitives3D_pb2.VolumeData3D(Width=width, Height=height, Depth=depth).SerializeToString()
    data = list(compress(scan.image_kji))
    return [head, *_submessage(Primitives3D_pb2.VolumeData3D.DATA_FIELD_NUMBER, data)]


def compress(image_kji: NDArray[np.int16]) -> Iterable[bytes]:
    """Yield the gzip of the voxels as little-endian int16 in the order slice, row, column."""
    compressor = isal.isal_zlib.compressobj(COMPRESSION_LEVEL, wbits=GZIP_WINDOW_BITS)
    for plane in image_kji:
        if piece := compressor.compress(np.ascontiguousarray(plane, dtype="<i2")):
            yield piece
    yield compressor.flush()


def _submessage(number: int, pieces: list[bytes]) -> list[bytes]:
    return [_varint(number << 3 | LENGTH_DELIMITED) + _varint(sum(map(len, pieces))), *pieces]


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
