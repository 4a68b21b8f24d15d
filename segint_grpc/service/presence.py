"""Families as they are written, before proto3 forgets which zeros were meant.

In proto3 an enum that is unset reads as its zero, and there is no telling the two apart. The same messages,
compiled as proto2, remember. Their wire format is the same, so what is read here becomes a ModelFamily by
way of its bytes.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
    text_format,
    timestamp_pb2,
)
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError

from generated.radiomics import Model_pb2, Primitives3D_pb2
from segint_grpc import errors

FAMILY = "Radiomics.ModelFamily"


def _compiled(*files: FileDescriptor) -> Any:
    """Return the class of a ModelFamily that knows which of its fields were set."""
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        proto = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(proto)
        if file.package == Model_pb2.DESCRIPTOR.package:
            proto.syntax = "proto2"
        pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(FAMILY))


WrittenFamily = _compiled(timestamp_pb2.DESCRIPTOR, Primitives3D_pb2.DESCRIPTOR, Model_pb2.DESCRIPTOR)
"""The class of a ModelFamily whose scalar fields, too, have HasField."""


def from_json(text: str) -> Any:
    """Return the family that the proto3 JSON `text` spells out; raises UnparsableMessage."""
    try:
        return json_format.Parse(text, WrittenFamily())
    except (json_format.ParseError, RecursionError) as error:
        raise errors.UnparsableMessage(f"This is no JSON of a {FAMILY}: {_line(error)}") from None


def from_text(text: str) -> Any:
    """Return the family that `text`, in protobuf's text format, spells out; raises UnparsableMessage."""
    try:
        return text_format.Parse(text, WrittenFamily())
    except (text_format.ParseError, RecursionError) as error:
        raise errors.UnparsableMessage(f"This is no text format of a {FAMILY}: {_line(error)}") from None


def from_binary(body: bytes) -> Any:
    """Return the family that `body` serializes, unknown fields included; raises UnparsableMessage."""
    try:
        return WrittenFamily.FromString(body)
    except DecodeError:
        raise errors.UnparsableMessage(f"The bytes are no serialized {FAMILY}.") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
