"""Pages of a list: how long one is, and the token that stands for the place behind it.

A token names the last thing that was told, so what comes and goes meanwhile neither hides nor repeats
anything else. A page is cut short before it grows out of what a gRPC client takes by default.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from google.protobuf.message import Message

from segint_grpc import errors
from segint_grpc.domain.job_lists import Place
from segint_grpc.domain.jobs import parse_job_id

SIZE_DEFAULT = 50
SIZE_MAX = 1000
PAGE_BYTES = 2 * 1024 * 1024
"""Half of gRPC's limit, so that one large message more still fits."""

Told = TypeVar("Told", bound=Message)
Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Told]):
    """A page's messages, and the token of the next; empty on the last."""

    messages: list[Told]
    next_token: str


def size_of(asked: int) -> int:
    """Return how many things a page holds where `asked` are asked for."""
    return min(asked or SIZE_DEFAULT, SIZE_MAX)


def cut(
    rows: Sequence[Row], size: int, tell: Callable[[Row], Told], token_of: Callable[[Row], str]
) -> Page[Told]:
    """Return a page of `rows`, which hold one more than `size` where there is a next page."""
    messages: list[Told] = []
    length_bytes = 0
    for message in map(tell, rows[:size]):
        length_bytes += message.ByteSize()
        if messages and length_bytes > PAGE_BYTES:
            break
        messages.append(message)
    more = len(rows) > len(messages)
    return Page(messages, token_of(rows[len(messages) - 1]) if more else "")


def job_token(place: Place) -> str:
    """Return the token of the page behind `place`."""
    return _pack((place.submitted_at.isoformat(), place.job_id))


def place_of(token: str) -> Place | None:
    """Return the place that a token of `job_token` stands for; None for an empty one.

    Raises:
        InvalidRequest: it is none.
    """
    if not token:
        return None
    moment, _, job_id = _unpack(token).partition(" ")
    try:
        return Place(datetime.fromisoformat(moment).astimezone(UTC), parse_job_id(job_id))
    except (ValueError, errors.UnknownJob):
        raise _unknown_token() from None


def number_token(number: int) -> str:
    """Return the token of the page behind `number`."""
    return _pack((str(number),))


def number_of(token: str) -> int:
    """Return the number that a token of `number_token` stands for; 0 for an empty one.

    Raises:
        InvalidRequest: it is none.
    """
    text = _unpack(token) if token else "0"
    if not text.isdecimal() or len(text) > len(str(2**63)) - 1:
        raise _unknown_token()
    return int(text)


def _pack(words: Iterable[str]) -> str:
    return base64.urlsafe_b64encode(" ".join(words).encode()).decode()


def _unpack(token: str) -> str:
    try:
        return base64.b64decode(token, b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _unknown_token() from None


def _unknown_token() -> errors.InvalidRequest:
    text = "None that this list gave out; take next_page_token from the page before, or leave it empty."
    return errors.InvalidFields({"page_token": text})
