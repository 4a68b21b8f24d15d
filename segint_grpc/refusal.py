"""How a caller that is still sending learns why it was refused: the status, sent ahead as initial metadata.

grpc.aio's client replaces the status of an RPC that the server ends while a message is being written with
INTERNAL "Internal error from Core" (grpc/grpc#36066). Initial metadata arrives untouched, so the core sends
code and details there first, and whoever streams requests to it looks there when a call fails.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

STATUS_METADATA = "segint-status"
"""The gRPC status code by name, for instance OUT_OF_RANGE."""

DETAILS_METADATA = "segint-details-bin"
"""The status details in UTF-8."""


RETRY_METADATA = "segint-retry-s"
"""Where the caller came too often: after how many seconds (whole, 1 or more) another try is worth it."""

Metadata = tuple[tuple[str, str | bytes], ...]


def pack(code: str, details: str, retry_s: float | None = None) -> Metadata:
    """Return the initial metadata that tell of a refusal."""
    retry = () if retry_s is None else ((RETRY_METADATA, str(math.ceil(max(retry_s, 1)))),)
    return ((STATUS_METADATA, code), (DETAILS_METADATA, details.encode()), *retry)


def unpack_retry_s(metadata: Iterable[tuple[str, str | bytes]]) -> int | None:
    """Return after how many seconds `metadata` say that another try is worth it, None where they don't."""
    told = dict(iter(metadata)).get(RETRY_METADATA)
    return int(told) if isinstance(told, str) and told.isdigit() else None


def unpack(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[str, str] | None:
    """Return the status code's name and the details that `metadata` tell of, None where they tell of none."""
    told = dict(iter(metadata))
    code, details = told.get(STATUS_METADATA), told.get(DETAILS_METADATA)
    return (code, details.decode()) if isinstance(code, str) and isinstance(details, bytes) else None
