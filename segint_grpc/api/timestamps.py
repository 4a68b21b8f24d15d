"""Moments as protobuf writes them."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """Return a UTC `moment` as protobuf's Timestamp."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def optional_timestamp(moment: datetime | None) -> Timestamp | None:
    """Return a UTC `moment` as protobuf's Timestamp, None for None."""
    return None if moment is None else timestamp(moment)
