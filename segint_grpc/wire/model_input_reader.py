"""Reads a serialized ModelInput while it arrives, and hands the volumes' Data on without keeping it.

Along ModelInput.Channels → CalibratedVolume → Volume → Data the reader follows the wire format itself, and
gives Data's bytes to a sink as they come. Everything else it copies into a skeleton, which is the same
message without Data, and which protobuf's own parser reads in the end. So what is a string, how split
messages merge, what unknown fields and nesting are allowed, protobuf decides; the reader must agree with
it on tags, lengths and groups alone. Measured against protobuf 6.33 (upb):

- A tag has at most 5 bytes and 32 bits; its field number is not 0, its wire type not 6 or 7.
- Any other varint has at most 10 bytes; bits above the 64th are dropped. Zeros may pad both kinds.
- A length is at most 2³¹ - 2 and ends within the enclosing message.
- Groups, at most 100 deep, end with their own number within the message that they began in.
- A field that is known, but comes with another wire type, is an unknown field.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Protocol

from google.protobuf.message import DecodeError

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.wire.encoding import LENGTH_MAX, WireType, length_header

MIB = 1024 * 1024
DATA_FIELDS_MAX = 1024
"""Most Data fields in a message. One a channel is usual; each costs a file, which nobody shall pile up."""

Volume3D = Primitives3D_pb2.VolumeData3D
DATA_PATH = (
    Model_pb2.ModelInput.CHANNELS_FIELD_NUMBER,
    Model_pb2.ModelInputChannel.CALIBRATEDVOLUME_FIELD_NUMBER,
    Primitives3D_pb2.CalibratedVolume3D.VOLUME_FIELD_NUMBER,
    Volume3D.DATA_FIELD_NUMBER,
)
"""The field to follow in the body, in a channel, in a calibrated volume, in a volume."""
BODY, VOLUME = 0, 3
"""Depths along DATA_PATH."""

_TAG_BYTES_MAX, _VARINT_BYTES_MAX = 5, 10
_GROUPS_DEEP_MAX = 100
_DIMENSIONS = (Volume3D.WIDTH_FIELD_NUMBER, Volume3D.HEIGHT_FIELD_NUMBER, Volume3D.DEPTH_FIELD_NUMBER)
_FIXED_BYTES = {WireType.FIXED64: 8, WireType.FIXED32: 4}

_Parser = Generator[None, None, None]
_ParserOfInt = Generator[None, None, int]


class DataSink(Protocol):
    """Takes the bytes of VolumeData3D.Data, still compressed, as they come off the wire."""

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        """Begin a Data field of `length` bytes of the channel number `channel` (from 0).

        What came before for the same channel is void: the last Data wins. `expected_bytes` is what it
        should inflate to by the dimensions known so far; None while one of them is missing or zero.
        """

    def write(self, piece: memoryview) -> None:
        """Take the next bytes of the field; they stay unchanged for as long as they are referred to."""

    def end(self) -> None:
        """End the field: `length` bytes have been written."""


class ModelInputReader:
    """An incremental parser of one serialized ModelInput that accepts exactly what protobuf accepts.

    The parser is a generator, which reads as if the whole body were there and yields where it needs the
    next chunk. After an error the reader is of no further use.
    """

    def __init__(self, sink: DataSink, *, channels_max: int, rest_max_bytes: int = 4 * MIB) -> None:
        """Send Data to `sink`; take at most `channels_max` channels and `rest_max_bytes` outside Data."""
        self._sink = sink
        self._channels_max = channels_max
        self._rest_max_bytes = rest_max_bytes
        self._chunk = memoryview(b"")
        self._at = 0
        self._bytes_before_chunk = 0
        self._skeleton = bytearray()
        self._data_bytes = 0
        self._data_fields = 0
        self._channels = 0
        self._volume_values: dict[int, int] = {}
        self._between_fields = True
        self._parser = self._body()
        next(self._parser)

    def feed(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes, split anywhere; `chunk` must not change afterwards.

        Raises:
            UnparsableMessage: the bytes so far cannot begin a ModelInput.
            TooLarge: more channels, Data fields or bytes outside Data than allowed.
        """
        self._bytes_before_chunk += len(self._chunk)
        self._chunk = memoryview(chunk)
        self._at = 0
        if next(self._parser, self) is self:
            raise errors.UnparsableMessage("The body was refused before its end.")

    def finish(self) -> Model_pb2.ModelInput:
        """Return the message, with every VolumeData3D.Data empty, once all bytes have been fed.

        Raises:
            UnparsableMessage: the bytes are no ModelInput.
        """
        if not self._between_fields:
            raise self._unparsable("it ends within a field")
        try:
            return Model_pb2.ModelInput.FromString(bytes(self._skeleton))
        except DecodeError:
            raise self._unparsable("a field outside Data is malformed, or a text is no UTF-8") from None

    @property
    def _position(self) -> int:
        return self._bytes_before_chunk + self._at

    def _body(self) -> _Parser:
        while True:
            self._between_fields = True
            yield from self._wait()
            self._between_fields = False
            yield from self._field(BODY, sys.maxsize)

    def _message(self, depth: int, end: int) -> _Parser:
        while self._position < end:
            yield from self._field(depth, end)
        self._check_within(end)

    def _field(self, depth: int, end: int) -> _Parser:
        begun_at = len(self._skeleton)
        number, wire_type = yield from self._tag()
        if wire_type == WireType.LENGTH and number == DATA_PATH[depth]:
            length = yield from self._length(end)
            del self._skeleton[begun_at:]
            yield from self._data(length) if depth == VOLUME else self._submessage(depth + 1, length)
            return
        value = yield from self._other_field(number, wire_type, end)
        if depth == VOLUME and wire_type == WireType.VARINT:
            self._volume_values[number] = value & 0xFFFF_FFFF

    def _submessage(self, depth: int, length: int) -> _Parser:
        if depth == BODY + 1:
            self._begin_channel()
        begun_at = len(self._skeleton)
        yield from self._message(depth, self._position + length)
        header = length_header(DATA_PATH[depth - 1], len(self._skeleton) - begun_at)
        self._skeleton[begun_at:begun_at] = header

    def _begin_channel(self) -> None:
        self._channels += 1
        self._volume_values = {}
        if self._channels > self._channels_max:
            raise errors.TooLarge(f"The scan has more than the {self._channels_max} channels allowed here.")

    def _data(self, length: int) -> _Parser:
        self._data_fields += 1
        if self._data_fields > DATA_FIELDS_MAX:
            raise errors.TooLarge(f"The body has more than {DATA_FIELDS_MAX} Data fields.")
        self._data_bytes += length
        self._sink.begin(self._channels - 1, length, self._expected_bytes())
        while length > 0:
            yield from self._wait()
            piece = self._take(length)
            self._sink.write(piece)
            length -= len(piece)
        self._sink.end()

    def _expected_bytes(self) -> int | None:
        width, height, depth = (self._volume_values.get(number, 0) for number in _DIMENSIONS)
        data_type = self._volume_values.get(Volume3D.DATATYPE_FIELD_NUMBER, 0)
        return width * height * depth * (1 if data_type == Volume3D.Byte else 2) or None

    def _other_field(self, number: int, wire_type: int, end: int) -> _ParserOfInt:
        """Copy a field's value to the skeleton; return it where it is a varint, else 0."""
        if wire_type == WireType.VARINT:
            return (yield from self._varint(_VARINT_BYTES_MAX))
        if wire_type == WireType.START_GROUP:
            yield from self._group(number, end)
        elif wire_type == WireType.LENGTH:
            yield from self._copy((yield from self._length(end)))
        elif wire_type in (WireType.FIXED64, WireType.FIXED32):
            yield from self._copy(_FIXED_BYTES[WireType(wire_type)])
        else:
            raise self._unparsable(f"a field has the wire type {wire_type}, where none can be")
        return 0

    def _group(self, number: int, end: int) -> _Parser:
        open_groups = [number]
        while open_groups:
            number, wire_type = yield from self._tag()
            self._check_within(end)
            if wire_type == WireType.START_GROUP:
                open_groups.append(number)
            elif wire_type != WireType.END_GROUP:
                yield from self._other_field(number, wire_type, end)
            elif open_groups.pop() != number:
                raise self._unparsable("a group ends with another number than it began with")
            if len(open_groups) > _GROUPS_DEEP_MAX:
                raise self._unparsable("groups are nested too deeply")

    def _tag(self) -> Generator[None, None, tuple[int, int]]:
        tag = yield from self._varint(_TAG_BYTES_MAX)
        if tag > 0xFFFF_FFFF or tag >> 3 == 0:
            raise self._unparsable("a field number is out of range")
        return tag >> 3, tag & 7

    def _length(self, end: int) -> _ParserOfInt:
        length = (yield from self._varint(_VARINT_BYTES_MAX)) & 0xFFFF_FFFF_FFFF_FFFF
        if length > LENGTH_MAX or length > end - self._position:
            raise self._unparsable("a field reaches beyond the message that it lies in")
        return length

    def _varint(self, bytes_max: int) -> _ParserOfInt:
        value = 0
        for shift in range(0, 7 * bytes_max, 7):
            yield from self._wait()
            byte = self._chunk[self._at]
            self._at += 1
            self._skeleton.append(byte)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._check_rest()
                return value
        raise self._unparsable("a number has too many bytes")

    def _copy(self, length: int) -> _Parser:
        while length > 0:
            yield from self._wait()
            piece = self._take(length)
            self._check_rest()
            self._skeleton += piece
            length -= len(piece)

    def _wait(self) -> _Parser:
        while self._at == len(self._chunk):
            yield

    def _take(self, length: int) -> memoryview:
        piece = self._chunk[self._at : self._at + length]
        self._at += len(piece)
        return piece

    def _check_rest(self) -> None:
        if self._position - self._data_bytes > self._rest_max_bytes:
            raise errors.TooLarge(f"The body has more than {self._rest_max_bytes} bytes outside Data.")

    def _check_within(self, end: int) -> None:
        if self._position > end:
            raise self._unparsable("a field reaches beyond the message that it lies in")

    def _unparsable(self, reason: str) -> errors.UnparsableMessage:
        return errors.UnparsableMessage(f"The body is no ModelInput: at byte {self._position} {reason}.")
