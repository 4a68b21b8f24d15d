"""How a caller that is still sending learns why it was refused: the status, sent ahead as initial metadata.

grpc.aio's client replaces the status of an RPC that the server ends while a message is being written with
INTERNAL "Internal error from Core" (grpc/grpc#36066). Initial metadata arrives untouched, so the core sends
code and details there first, and whoever streams requests to it looks there when a call fails.
"""

from __future__ import annotations

from collections.abc import Iterable

STATUS_METADATA = "segint-status"
"""The gRPC status code by name, for instance OUT_OF_RANGE."""

DETAILS_METADATA = "segint-details-bin"
"""The status details in UTF-8."""


def pack(code: str, details: str) -> tuple[tuple[str, str | bytes], ...]:
    """Return the initial metadata that tell of a refusal."""
    return ((STATUS_METADATA, code), (DETAILS_METADATA, details.encode()))


def unpack(metadata: Iterable[tuple[str, str | bytes]]) -> tuple[str, str] | None:
    """Return the status code's name and the details that `metadata` tell of, None where they tell of none."""
    told = dict(iter(metadata))
    code, details = told.get(STATUS_METADATA), told.get(DETAILS_METADATA)
    return (code, details.decode()) if isinstance(code, str) and isinstance(details, bytes) else None
