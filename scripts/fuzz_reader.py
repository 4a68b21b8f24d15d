"""Hold the incremental reader of ModelInput against protobuf's own parser, on bodies made to be awkward.

Usage: python scripts/fuzz_reader.py [--seconds 60] [--seed N]

Each body is grown field by field, right and wrong, along the way to Data, then usually damaged, and fed in
random pieces. Prints how many bodies there were, how many of them protobuf takes, and every difference.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from google.protobuf.message import DecodeError

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.wire.encoding import WireType, length_header, varint
from segint_grpc.wire.model_input_reader import DATA_PATH, ModelInputReader

NO_LIMIT = sys.maxsize
TEXTS = (b"", b"1", b"CT \xc3\xa9", b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xf0\x9f\xa9\xbb", b"\0")
NUMBERS = (0, 1, 2, 127, 128, 512, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1)
FIELD_NUMBERS = (1, 2, 3, 4, 5, 6, 7, 15, 16, 2047, 2**29 - 1)
BAD_FIELD_NUMBERS = (0, 2**29, 2**32)


class KeptData:
    """A DataSink that keeps everything, and fails where the reader does not keep its word."""

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}
        self.expected: dict[int, int | None] = {}
        self._open = (-1, 0)
        self.pieces: list[memoryview] = []

    def begin(self, channel: int, length: int, expected_bytes: int | None) -> None:
        """Forget what the channel had."""
        assert self._open == (-1, 0), "a field begins within another"
        self._open = (channel, length)
        self.pieces = []
        self.expected[channel] = expected_bytes

    def write(self, piece: memoryview) -> None:
        """Keep the piece as it is."""
        assert self._open != (-1, 0), "a piece outside a field"
        assert piece, "an empty piece"
        self.pieces.append(piece)

    def end(self) -> None:
        """Put the field together."""
        channel, length = self._open
        self.data[channel] = b"".join(self.pieces)
        assert len(self.data[channel]) == length, "another length than announced"
        self._open = (-1, 0)


def difference(pieces: Sequence[bytes]) -> str | None:
    """Return what reader and protobuf disagree on about the body that `pieces` make up; None: nothing."""
    body = b"".join(pieces)
    expected = _by_protobuf(body)
    try:
        found = _by_reader(pieces)
    except errors.UnparsableMessage as error:
        return None if expected is None else f"only the reader refuses: {error}"
    if expected is None:
        return "only protobuf refuses"
    if found != expected:
        return f"protobuf reads {expected!r}, the reader {found!r}"
    return None


def _by_protobuf(body: bytes) -> tuple[bytes, list[bytes]] | None:
    try:
        message = Model_pb2.ModelInput.FromString(body)
    except DecodeError:
        return None
    volumes = [channel.CalibratedVolume for channel in message.Channels]
    data = [bytes(volume.Volume.Data) for volume in volumes]
    for volume in volumes:
        if volume.HasField("Volume"):
            volume.Volume.ClearField("Data")
    return message.SerializeToString(deterministic=True), data


def _by_reader(pieces: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    sink = KeptData()
    reader = ModelInputReader(sink, channels_max=NO_LIMIT, rest_max_bytes=NO_LIMIT)
    for piece in pieces:
        reader.feed(piece)
    message = reader.finish()
    data = [sink.data.get(index, b"") for index in range(len(message.Channels))]
    return message.SerializeToString(deterministic=True), data


def grow_message(rng: random.Random, depth: int, budget: int) -> bytes:
    """Return random fields of the message at `depth` along DATA_PATH, most of them well-formed."""
    fields = 0 if budget == 0 or rng.random() < 0.05 else rng.randrange(min(budget, 6)) + 1
    return b"".join(_grow_field(rng, depth, budget // 2) for _ in range(fields))


def _grow_field(rng: random.Random, depth: int, budget: int) -> bytes:
    if depth < len(DATA_PATH) and rng.random() < 0.5:
        is_data = depth == len(DATA_PATH) - 1
        value = rng.randbytes(rng.randrange(40)) if is_data else grow_message(rng, depth + 1, budget + 2)
        return _length_field(rng, DATA_PATH[depth], value)
    number = rng.choice(BAD_FIELD_NUMBERS) if rng.random() < 0.005 else rng.choice(FIELD_NUMBERS)
    grow = rng.choice((_grow_varint, _grow_text, _grow_fixed, _grow_group, _grow_message))
    return grow(rng, number, budget)


def _grow_varint(rng: random.Random, number: int, _budget: int) -> bytes:
    return _tag(rng, number, WireType.VARINT) + _padded(rng, varint(rng.choice(NUMBERS)), 10)


def _grow_text(rng: random.Random, number: int, _budget: int) -> bytes:
    return _length_field(rng, number, rng.choice(TEXTS[:3] if rng.random() < 0.9 else TEXTS))


def _grow_fixed(rng: random.Random, number: int, _budget: int) -> bytes:
    wire_type = rng.choice((WireType.FIXED64, WireType.FIXED32))
    return _tag(rng, number, wire_type) + rng.randbytes(8 if wire_type == WireType.FIXED64 else 4)


def _grow_group(rng: random.Random, number: int, budget: int) -> bytes:
    end = number if rng.random() < 0.98 else rng.choice(FIELD_NUMBERS)
    if rng.random() < 0.02:
        deep = rng.randrange(94, 103)
        return _tag(rng, 7, WireType.START_GROUP) * deep + _tag(rng, 7, WireType.END_GROUP) * deep
    inside = grow_message(rng, len(DATA_PATH), budget)
    return _tag(rng, number, WireType.START_GROUP) + inside + _tag(rng, end, WireType.END_GROUP)


def _grow_message(rng: random.Random, number: int, budget: int) -> bytes:
    return _length_field(rng, number, grow_message(rng, rng.randrange(len(DATA_PATH) + 1), budget))


def _length_field(rng: random.Random, number: int, value: bytes) -> bytes:
    if rng.random() < 0.9:
        return length_header(number, len(value)) + value
    return _tag(rng, number, WireType.LENGTH) + _padded(rng, varint(len(value)), 10) + value


def _tag(rng: random.Random, number: int, wire_type: WireType) -> bytes:
    return _padded(rng, varint(number << 3 | wire_type), 5)


def _padded(rng: random.Random, shortest: bytes, bytes_max: int) -> bytes:
    """Return the varint `shortest`, now and then padded up to `bytes_max` bytes, or one beyond.

    What a tenth byte holds above the 64th bit is dropped, so there it may be anything.
    """
    if rng.random() < 0.9:
        return shortest
    zeros = max(rng.randrange(bytes_max + 1) - len(shortest), 0)
    last = rng.choice((0x00, 0x7E)) if len(shortest) + zeros + 1 == 10 else 0x00
    return shortest[:-1] + bytes([shortest[-1] | 0x80]) + b"\x80" * zeros + bytes([last])


def damage(rng: random.Random, body: bytes) -> bytes:
    """Return `body` with a few bytes changed, put in, taken out, doubled, or its end cut off."""
    for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
        body = rng.choice(DAMAGES)(rng, body, rng.randrange(len(body) + 1))
    return body


DAMAGES: tuple[Callable[[random.Random, bytes, int], bytes], ...] = (
    lambda rng, body, at: body[:at] + rng.randbytes(1) + body[at + 1 :],
    lambda rng, body, at: body[:at] + bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF))]) + body[at + 1 :],
    lambda rng, body, at: body[:at] + rng.randbytes(rng.randrange(4)) + body[at:],
    lambda rng, body, at: body[:at] + body[at + rng.randrange(4) :],
    lambda rng, body, at: body[:at] + body[at // 2 :],
    lambda rng, body, at: body[:at],
)


def cut(rng: random.Random, body: bytes) -> list[bytes]:
    """Return `body` in pieces of random length, some of them empty."""
    longest = rng.choice((1, 2, 7, 64, len(body) + 1) if len(body) < 256 else (64, len(body) + 1))
    pieces, at = [], 0
    while at < len(body):
        length = rng.randrange(longest + 1)
        pieces.append(body[at : at + length])
        at += length
    return pieces


def fuzz(seconds: float, seed: int) -> tuple[int, int, int]:
    """Try bodies for `seconds`; return how many, how many protobuf takes, how many differ (printed)."""
    rng = random.Random(seed)
    tried = taken = differing = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pieces = cut(rng, damage(rng, grow_message(rng, 0, rng.choice((2, 3, 4, 6, 10)))))
        found = difference(pieces)
        tried += 1
        taken += _by_protobuf(b"".join(pieces)) is not None
        differing += found is not None
        if found is not None:
            print(f"{b''.join(pieces).hex()} in {len(pieces)} pieces: {found}")
    return tried, taken, differing


def main() -> int:
    """Run from the command line; the exit code is 1 where there was a difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    tried, taken, differing = fuzz(arguments.seconds, arguments.seed)
    print(f"seed {arguments.seed}: {tried} bodies, {taken} taken by protobuf, {differing} differences")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
