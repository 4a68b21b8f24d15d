"""Which of the two formats an answer has: protobuf, or its proto3 JSON mapping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@lru_cache(maxsize=256)
def wants_protobuf(accept: str | None) -> bool:
    """Tell whether an answer to a request with this Accept header (None: without one) is protobuf.

    It is where the header is missing, or names protobuf with a quality (RFC 9110 section 12.4.2) above
    zero and not below JSON's; every other header gets JSON.
    """
    if accept is None:
        return True
    qualities = dict(_qualities(accept))
    protobuf = qualities.get(PROTOBUF, 0.0)
    ranges = (JSON, "application/*", "*/*")
    json = next((qualities[name] for name in ranges if name in qualities), 0.0)
    return protobuf > 0 and protobuf >= json


def media_type(content_type: str | None) -> str:
    """Return the type and subtype of a Content-Type header in lower case, without its parameters."""
    return (content_type or "").partition(";")[0].strip().lower()


def _qualities(accept: str) -> Iterator[tuple[str, float]]:
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        yield name, _quality(weights[0]) if weights else 1.0


def _quality(text: str) -> float:
    """Return the weight `text`, held to 0 … 1; one that is no number does not restrict."""
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0
