"""The few parts of the protobuf wire format that reader and writer share.

See "Encoding" in the Protocol Buffers documentation: a field is a tag (field number << 3 | wire type) and
a value; tags and lengths are varints, seven bits a byte, the lowest first.
"""

from __future__ import annotations

from enum import IntEnum


class WireType(IntEnum):
    """How a field's value is written."""

    VARINT = 0
    FIXED64 = 1
    LENGTH = 2
    START_GROUP = 3
    END_GROUP = 4
    FIXED32 = 5


LENGTH_MAX = 2**31 - 2
"""Longest length-delimited value that protobuf's own parser takes, in bytes (measured, protobuf 6.33)."""


def varint(value: int) -> bytes:
    """Return the shortest varint of `value` (0 or more)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def length_header(field_number: int, length_bytes: int) -> bytes:
    """Return the tag and length that go before a length-delimited value (message, string or bytes)."""
    return varint(field_number << 3 | WireType.LENGTH) + varint(length_bytes)
