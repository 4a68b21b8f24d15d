"""What an ONNX file says of itself, read from its bytes: that it is one, and which files it needs beside.

It is protobuf (onnx/onnx.proto, ModelProto). Only the parts that can hold tensors are gone into, so that a
file of gigabytes is looked through in no time.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path

_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "pair"},
}
"""Message → number of a field → the message that the field holds, as far as tensors can be in it."""

Data = mmap.mmap | bytes

_DEPTH_MAX = 60
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_IR_VERSION, _GRAPH, _OPSET = 1, 7, 8
_KEY, _VALUE = 1, 2


def external_files(path: Path) -> list[str]:
    """Return the names of the files beside `path` that its tensors lie in, sorted.

    Raises:
        ValueError: it is no ONNX file.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return external_names(data)


def external_names(data: Data) -> list[str]:
    """Return the names of the files that the tensors of the ONNX model `data` lie in; raises as above."""
    try:
        found = {number for number, _, _, _ in _fields(data, 0, len(data))}
        if not {_IR_VERSION, _GRAPH, _OPSET} <= found:
            raise ValueError("it lacks what every ONNX model has")
        return sorted(set(_locations(data, "model", 0, len(data), 0)))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("it is cut short or no protobuf") from error


def _locations(data: Data, message: str, start: int, end: int, depth: int) -> Iterator[str]:
    if depth > _DEPTH_MAX:
        raise ValueError("its graphs are nested too deeply")
    for number, kind, first, last in _fields(data, start, end):
        inside = _INSIDE[message].get(number) if kind == _LENGTH else None
        if inside == "pair":
            pair = {n: data[a:b].decode() for n, k, a, b in _fields(data, first, last) if k == _LENGTH}
            if pair.get(_KEY) == "location":
                yield pair.get(_VALUE, "")
        elif inside is not None:
            yield from _locations(data, inside, first, last, depth + 1)


def _fields(data: Data, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, first and last byte + 1 of each field's value between `start` and `end`."""
    at = start
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        first = at
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _LENGTH:
            length, first = _varint(data, at)
            at = first + length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("it is no protobuf")
        if at > end or number == 0:
            raise ValueError("it is cut short or no protobuf")
        yield number, kind, first, at


def _varint(data: Data, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("it is no protobuf")
