"""Moments that a request names."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from segint_grpc import errors


def moment_in(message: Message, name: str) -> datetime | None:
    """Return the time in the field `name`, None where it is absent.

    Raises:
        InvalidFields: it is no time that a calendar has.
    """
    if not message.HasField(name):
        return None
    moment: Timestamp = getattr(message, name)
    try:
        return moment.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise errors.InvalidFields({name: "This is no time between the years 1 and 9999."}) from None
