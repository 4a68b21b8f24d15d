"""A message that is answered again and again, with both ways of writing it at hand."""

from __future__ import annotations

from google.protobuf import json_format
from google.protobuf.message import Message


class Prepared:
    """A message that changes no more, serialized; its JSON is made once, when it is first asked for.

    The message itself is not kept: it would keep everything alive that came in one piece with it.
    """

    __slots__ = ("_json", "_kind", "protobuf")

    def __init__(self, message: Message) -> None:
        """Serialize `message`."""
        self.protobuf = message.SerializeToString()
        self._kind = type(message)
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        """The message in the proto3 JSON mapping, as UTF-8."""
        if self._json is None:
            self._json = to_json(self._kind.FromString(self.protobuf))
        return self._json


def to_json(message: Message) -> bytes:
    """Return `message` in the proto3 JSON mapping: names as in the .proto, default values left out."""
    text = json_format.MessageToJson(
        message, preserving_proto_field_name=True, indent=None, ensure_ascii=False
    )
    return text.encode()
