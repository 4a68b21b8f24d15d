import importlib.util
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors
from segint_grpc.wire import model_input_reader
from segint_grpc.wire.encoding import WireType, length_header, varint
from segint_grpc.wire.model_input_reader import DATA_PATH, ModelInputReader

ROOT = Path(__file__).parents[2]
Volume = Primitives3D_pb2.VolumeData3D


def load_fuzzer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_reader", ROOT / "scripts" / "fuzz_reader.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


fuzz_reader = load_fuzzer()


def field(number: int, value: bytes, wire_type: WireType = WireType.LENGTH) -> bytes:
    if wire_type == WireType.LENGTH:
        return length_header(number, len(value)) + value
    return varint(number << 3 | wire_type) + value


def in_channel(inside: bytes) -> bytes:
    return field(2, inside)


def in_volume(inside: bytes) -> bytes:
    return in_channel(field(2, field(2, inside)))


def group(number: int, inside: bytes) -> bytes:
    return varint(number << 3 | 3) + inside + varint(number << 3 | 4)


def nested(levels: int, inside: bytes) -> bytes:
    for number in reversed(DATA_PATH[:levels]):
        inside = field(number, inside)
    return inside


def data(value: bytes) -> bytes:
    return field(Volume.DATA_FIELD_NUMBER, value)


def number_field(number: int, value: int) -> bytes:
    return field(number, varint(value), WireType.VARINT)


def scan(*, data: bytes = b"voxels", channels: int = 1) -> Model_pb2.ModelInput:
    message = Model_pb2.ModelInput()
    message.ClientInformation.SoftwareVersion = "4.1"
    for index in range(channels):
        channel = message.Channels.add(ChannelID=str(index + 1), VolumeID="CT é")
        channel.CalibratedVolume.DataTransform.VoxelScalingInMM.X = 0.9
        volume = channel.CalibratedVolume.Volume
        volume.Width, volume.Height, volume.Depth, volume.Data = 4, 3, 2, data + bytes([index])
    return message


def read(body: bytes, *, channels_max: int = 8, **limits: int) -> tuple[Model_pb2.ModelInput, Any]:
    sink = fuzz_reader.KeptData()
    reader = ModelInputReader(sink, channels_max=channels_max, **limits)
    reader.feed(body)
    return reader.finish(), sink


# What protobuf says of each body is never written down here: `difference` asks protobuf.
AWKWARD = {
    "nothing": b"",
    "an empty channel": in_channel(b""),
    "an empty volume": in_volume(b""),
    "a plain scan": scan().SerializeToString(),
    "two channels": scan(channels=2).SerializeToString(),
    "Data before the dimensions": in_volume(data(b"abc") + number_field(1, 5)),
    "Data twice in a volume": in_volume(data(b"first") + data(b"second")),
    "an empty Data after another": in_volume(data(b"first") + data(b"")),
    "a channel's volume split in two": in_channel(
        field(2, field(2, data(b"first") + number_field(1, 5))) + field(2, field(2, data(b"second")))
    ),
    "an empty Data in the second half of a split volume": in_channel(
        field(2, field(2, data(b"first"))) + field(2, field(2, data(b"") + number_field(2, 7)))
    ),
    "a split volume whose second half has no Data": in_channel(
        field(2, field(2, data(b"first"))) + field(2, field(2, number_field(2, 7)))
    ),
    "a calibrated volume split around its transform": in_channel(
        field(2, field(4, field(5, b""))) + field(2, field(2, data(b"x"))) + field(2, field(4, field(4, b"")))
    ),
    "two whole bodies, one after the other": scan().SerializeToString() * 2,
    "Data as a number": in_volume(number_field(4, 99)),
    "Data as a group": in_volume(group(4, b"")),
    "Data as eight bytes": in_volume(field(4, bytes(8), WireType.FIXED64)),
    "Data as four bytes": in_volume(field(4, bytes(4), WireType.FIXED32)),
    "a width as text": in_volume(field(1, b"\x05")),
    "a channel as a group": group(2, field(2, field(2, data(b"no data")))),
    "a volume within a group": in_channel(group(2, field(2, data(b"no data")))),
    "Data within a group of a volume": in_volume(group(9, data(b"no data")) + data(b"data")),
    "a group within a group of the same number": in_volume(group(9, group(9, number_field(1, 3)))),
    "a group that ends with another number": varint(9 << 3 | 3) + varint(8 << 3 | 4),
    "a group that never ends": in_volume(varint(9 << 3 | 3)),
    "a group that ends outside its message": in_channel(varint(9 << 3 | 3)) + varint(9 << 3 | 4),
    "a group whose end lies half outside its message": in_channel(b"\x83\x01\x84") + b"\x01",
    "a group's end without its beginning": varint(9 << 3 | 4),
    "an unknown enum value": in_volume(number_field(5, 7) + number_field(6, 2**31)),
    "a negative enum value": in_volume(number_field(5, 2**64 - 1)),
    "a width of more than 32 bits": in_volume(number_field(1, 2**32 + 3)),
    "a text that is no UTF-8": in_channel(field(1, b"\xff")),
    "a surrogate in a text": in_channel(field(3, b"\xed\xa0\x80")),
    "a text that is no UTF-8, replaced later": in_channel(field(1, b"\xff") + field(1, b"1")),
    "a text that is no UTF-8 in an unknown field": in_channel(field(9, b"\xff")),
    "the field number 0": number_field(0, 1),
    "the field number 0 within a group": group(9, b"\x00\x01"),
    "the highest field number": number_field(2**29 - 1, 1),
    "a field number too high": b"\x80\x80\x80\x80\x10\x01",
    "the wire type 6": b"\x7e\x00",
    "the wire type 7": b"\x7f\x00",
    "a padded tag": b"\x92\x80\x80\x80\x00" + b"\x00",
    "a tag padded too far": b"\x92\x80\x80\x80\x80\x00" + b"\x00",
    "a padded length": b"\x12" + b"\x80" * 9 + b"\x00",
    "a length padded too far": b"\x12" + b"\x80" * 10 + b"\x00",
    "a length whose bits above the 64th are set": b"\x12" + b"\x80" * 9 + b"\x7e",
    "a length of 2**63": b"\x12" + b"\x80" * 9 + b"\x01",
    "a length of 2**31": b"\x12" + varint(2**31),
    "a Data longer than its volume": nested(3, b"\x22\x05abc") + b"defg",
    "a volume longer than its channel": in_channel(b"\x12\x05abc") + b"defg",
    "a number that ends outside its message": in_volume(b"\x08\x80") + b"\x01",
    "a tag that ends outside its message": in_volume(b"\x88") + b"\x01\x01",
    "eight bytes that end outside their message": in_volume(b"\x79\x00") + bytes(7),
    "a number of eleven bytes": b"\x78" + b"\xff" * 10 + b"\x00",
    "a number with all of ten bytes' bits": in_volume(b"\x08" + b"\xff" * 9 + b"\x7f"),
    "an unknown field of every kind": (
        number_field(15, 1)
        + field(15, b"text")
        + field(15, bytes(8), WireType.FIXED64)
        + field(15, bytes(4), WireType.FIXED32)
        + group(15, field(15, b"text"))
    ),
}


@pytest.mark.parametrize("body", AWKWARD.values(), ids=AWKWARD.keys())
def test_an_awkward_body_is_read_as_protobuf_reads_it_however_it_is_split(body: bytes) -> None:
    splits = [[body], [bytes([byte]) for byte in body], [b"", body, b""]]
    splits += [[body[:at], body[at:]] for at in range(1, len(body))]
    assert [fuzz_reader.difference(pieces) for pieces in splits] == [None] * len(splits)


@pytest.mark.parametrize("name", ["a plain scan", "two channels", "Data as a group"])
def test_a_body_that_is_cut_off_is_refused_where_protobuf_refuses_it(name: str) -> None:
    body = AWKWARD[name]
    found = [fuzz_reader.difference([body[:length]]) for length in range(len(body))]
    assert found == [None] * len(body)


@pytest.mark.parametrize("levels", range(5))
@pytest.mark.parametrize("deep", [96, 97, 98, 99, 100, 101])
def test_groups_nest_as_deep_as_protobuf_lets_them(levels: int, deep: int) -> None:
    body = nested(min(levels, 3), b"\x7b" * deep + b"\x7c" * deep)
    assert fuzz_reader.difference([body]) is None


@pytest.mark.parametrize("number", [6, 2**28])
def test_groups_that_only_open_are_refused_without_end(number: int) -> None:
    assert fuzz_reader.difference([varint(number << 3 | 3) * 5000]) is None


numbers = st.sampled_from([0, 1, 2, 127, 128, 2**31, 2**32 - 1, 2**32 + 1, 2**63, 2**64 - 1])
field_numbers = st.sampled_from([1, 2, 3, 4, 5, 6, 9, 16, 2**29 - 1])
texts = st.one_of(st.text(max_size=5).map(str.encode), st.binary(max_size=3))
leaves = st.one_of(
    st.builds(number_field, field_numbers, numbers),
    st.builds(field, field_numbers, texts),
    st.builds(field, field_numbers, st.binary(min_size=8, max_size=8), st.just(WireType.FIXED64)),
    st.builds(field, field_numbers, st.binary(min_size=4, max_size=4), st.just(WireType.FIXED32)),
    st.builds(group, field_numbers, st.just(b"")),
)


def joined(strategy: st.SearchStrategy[bytes], max_size: int) -> st.SearchStrategy[bytes]:
    return st.lists(strategy, max_size=max_size).map(b"".join)


def messages(depth: int = 0) -> st.SearchStrategy[bytes]:
    if depth == len(DATA_PATH):
        return st.binary(max_size=20)
    inner = messages(depth + 1)
    descent = st.builds(field, st.just(DATA_PATH[depth]), inner)
    return joined(st.one_of(descent, leaves, st.builds(group, field_numbers, inner)), 4)


@given(body=messages(), cuts=st.lists(st.integers(0, 400), max_size=5))
@example(body=scan().SerializeToString(), cuts=[1])
@settings(max_examples=400, deadline=None)
def test_any_message_is_read_as_protobuf_reads_it(body: bytes, cuts: list[int]) -> None:
    assert fuzz_reader.difference(split(body, cuts)) is None


@given(
    body=messages(),
    cuts=st.lists(st.integers(0, 400), max_size=3),
    at=st.integers(0, 400),
    removed=st.integers(0, 2),
    put_in=st.binary(max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_any_damaged_message_is_read_as_protobuf_reads_it(
    body: bytes, cuts: list[int], at: int, removed: int, put_in: bytes
) -> None:
    damaged = body[:at] + put_in + body[at + removed :]
    assert fuzz_reader.difference(split(damaged, cuts)) is None


@given(body=st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_as_protobuf_reads_them(body: bytes) -> None:
    assert fuzz_reader.difference([body]) is None


def split(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    return [body[begin:end] for begin, end in pairwise(edges)]


def test_the_fuzzer_tries_bodies_of_both_kinds_and_finds_no_difference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried, taken, differing = fuzz_reader.fuzz(seconds=0.5, seed=20261123)
    assert differing == 0, capsys.readouterr().out
    assert 0 < taken < tried


def test_the_fuzzer_finds_a_reader_that_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(model_input_reader, "LENGTH_MAX", 30)
    assert fuzz_reader.fuzz(seconds=0.5, seed=1)[2] > 0
    assert "only the reader refuses" in capsys.readouterr().out


def test_data_go_to_the_sink_as_views_of_the_chunk_and_not_as_copies() -> None:
    body = scan(data=bytes(1000)).SerializeToString()
    assert [piece.obj is body for piece in read(body)[1].pieces] == [True]


def test_data_reach_the_sink_before_the_field_is_complete() -> None:
    body = in_volume(data(b"0123456789"))
    sink = fuzz_reader.KeptData()
    reader = ModelInputReader(sink, channels_max=1)
    reader.feed(body[:-4])
    assert b"".join(sink.pieces) == b"012345"
    reader.feed(body[-4:])
    assert sink.data == {0: b"0123456789"}


def test_data_longer_than_their_volume_are_refused_before_any_reach_the_sink() -> None:
    sink = fuzz_reader.KeptData()
    reader = ModelInputReader(sink, channels_max=1)
    with pytest.raises(errors.UnparsableMessage, match="reaches beyond the message"):
        reader.feed(nested(3, b"\x22\x05abc") + b"de")
    assert sink.pieces == []


@pytest.mark.parametrize("tag", [b"\x12", b"\x7a"], ids=["a channel", "an unknown field"])
def test_the_longest_length_is_protobufs(tag: bytes) -> None:
    """Protobuf was asked once, with bodies of two gigabytes; here the length alone is sent."""
    reader = ModelInputReader(fuzz_reader.KeptData(), channels_max=1)
    reader.feed(tag + varint(2**31 - 2))
    reader = ModelInputReader(fuzz_reader.KeptData(), channels_max=1)
    with pytest.raises(errors.UnparsableMessage):
        reader.feed(tag + varint(2**31 - 1))


def test_the_message_comes_without_data_and_is_otherwise_whole() -> None:
    message, sink = read(scan(channels=2).SerializeToString())
    expected = scan(channels=2)
    for channel in expected.Channels:
        channel.CalibratedVolume.Volume.ClearField("Data")
    assert message == expected
    assert sink.data == {0: b"voxels\x00", 1: b"voxels\x01"}


W, H, D, TYPE = (
    Volume.WIDTH_FIELD_NUMBER,
    Volume.HEIGHT_FIELD_NUMBER,
    Volume.DEPTH_FIELD_NUMBER,
    Volume.DATATYPE_FIELD_NUMBER,
)
dimensions = number_field(W, 4) + number_field(H, 3) + number_field(D, 2)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (dimensions + data(b""), 48),
        (dimensions + number_field(TYPE, Volume.Byte) + data(b""), 24),
        (dimensions + number_field(TYPE, 7) + data(b""), 48),
        (dimensions + number_field(TYPE, 2**32 + 1) + data(b""), 24),
        (dimensions + number_field(W, 2**32 + 5) + data(b""), 60),
        (dimensions + number_field(W, 0) + data(b""), None),
        (number_field(W, 4) + number_field(H, 3) + data(b""), None),
        (data(b"") + dimensions, None),
        (data(b"") + dimensions + data(b""), 48),
        (dimensions + field(W, b"\x09") + data(b""), 48),
        (dimensions + group(9, number_field(W, 9)) + data(b""), 48),
    ],
)
def test_the_sink_hears_what_the_dimensions_known_so_far_ask_for(inside: bytes, expected: int | None) -> None:
    assert read(in_volume(inside))[1].expected == {0: expected}


def test_dimensions_count_across_the_halves_of_a_split_volume_but_not_across_channels() -> None:
    halves = in_channel(field(2, field(2, dimensions)) + field(2, field(2, data(b""))))
    assert read(halves + in_volume(data(b"")))[1].expected == {0: 48, 1: None}


def test_one_channel_too_many_is_refused_before_its_data_come() -> None:
    body = scan(channels=3).SerializeToString()
    sink = fuzz_reader.KeptData()
    reader = ModelInputReader(sink, channels_max=2)
    with pytest.raises(errors.TooLarge, match="more than the 2 channels"):
        reader.feed(body)
    assert sorted(sink.data) == [0, 1]
    assert len(read(body, channels_max=3)[0].Channels) == 3


@pytest.mark.parametrize(
    "rest",
    [
        field(15, bytes(1000)),
        number_field(15, 1) * 500,
        in_volume(b"") * 200,
        group(15, bytes([120, 1]) * 500),
    ],
    ids=["a long field", "many short fields", "many channels", "a long group"],
)
def test_bytes_outside_data_are_bounded_whatever_they_are(rest: bytes) -> None:
    with pytest.raises(errors.TooLarge, match="more than 500 bytes outside Data"):
        read(rest, channels_max=10**6, rest_max_bytes=500)
    read(rest, channels_max=10**6, rest_max_bytes=len(rest))


def test_data_do_not_count_as_bytes_outside_data() -> None:
    read(in_volume(data(bytes(10_000))), rest_max_bytes=100)


def test_data_fields_are_bounded_in_number() -> None:
    most = model_input_reader.DATA_FIELDS_MAX
    read(in_volume(data(b"x") * most))
    with pytest.raises(errors.TooLarge, match="Data fields"):
        read(in_volume(data(b"x") * (most + 1)))


def test_a_reader_that_has_refused_a_body_goes_on_refusing() -> None:
    reader = ModelInputReader(fuzz_reader.KeptData(), channels_max=1)
    with pytest.raises(errors.UnparsableMessage, match=r"at byte 1 .*number is out of range"):
        reader.feed(b"\x00")
    with pytest.raises(errors.UnparsableMessage):
        reader.feed(b"\x12\x00")
    with pytest.raises(errors.UnparsableMessage):
        reader.finish()


def test_a_refusal_says_where_the_body_ends_too_early() -> None:
    reader = ModelInputReader(fuzz_reader.KeptData(), channels_max=1)
    reader.feed(b"\x12\x05abc"[:4])
    with pytest.raises(errors.UnparsableMessage, match="at byte 4 it ends within a field"):
        reader.finish()
