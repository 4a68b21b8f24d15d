"""Moments in messages: as protobuf writes them, and as a request names them."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from segint_grpc import errors


def timestamp(moment: datetime) -> Timestamp:
    """Return a UTC `moment` as protobuf's Timestamp."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def optional_timestamp(moment: datetime | None) -> Timestamp | None:
    """Return a UTC `moment` as protobuf's Timestamp, None for None."""
    return None if moment is None else timestamp(moment)


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
