"""A route, and how a path finds it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from google.protobuf.message import Message

from http_gateway.exchange import Handler


class Needs(StrEnum):
    """What a route asks of whoever calls it."""

    CLIENT = "client"
    """What the setting `client_mode` says."""
    HEALTH = "health"
    """What the setting `health` says."""
    METRICS = "metrics"
    """An address on this machine, or in the setting `metrics_allow`."""


@dataclass(frozen=True)
class Route:
    """One method of one path: what serves it, and what there is to know for whoever calls it."""

    method: str
    path: str
    """Fixed parts and `{parameters}`; matched with and without a slash at the end."""
    handler: Handler
    summary: str
    answer: type[Message] | str
    """The message that it answers (protobuf or JSON), or the media type of another answer."""
    body: type[Message] | None = None
    """The message that it takes, always as protobuf."""
    body_max_bytes: int = 0
    """Largest body; 0: as large as the setting `upload_max_bytes` allows."""
    needs: Needs = Needs.CLIENT
    log_level: int = logging.INFO
    """Of the line in the log for an answer where all is well."""


@dataclass(frozen=True)
class Match:
    """The routes of a path by method, and the path's parameters, percent-decoded."""

    path: str
    routes: Mapping[str, Route]
    parameters: Mapping[str, str]


class Router:
    """Finds routes by path: fixed parts in any case, parameters exactly as they are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Serve `routes`."""
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        self._fixed = {
            _without_slash(path).lower(): Match(path, found, {})
            for path, found in by_path.items()
            if "{" not in path
        }
        self._patterns = [
            (_without_slash(path).lower().split("/"), Match(path, found, {}))
            for path, found in by_path.items()
        ]

    def find(self, raw_path: str) -> Match | None:
        """Return what serves `raw_path`, a path as it was sent, percent-encoded; None where nothing does."""
        path = _without_slash(raw_path)
        fixed = self._fixed.get(path.lower())
        if fixed is not None:
            return fixed
        parts = [_decode(part) for part in path.split("/")]
        for pattern, match in self._patterns:
            parameters = _compare(pattern, parts)
            if parameters is not None:
                return Match(match.path, match.routes, parameters)
        return None


def _without_slash(path: str) -> str:
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _decode(part: str) -> str:
    """Return `part` percent-decoded (RFC 3986 section 2.1); bytes that are no UTF-8 become U+FFFD."""
    return unquote_to_bytes(part.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")


def _compare(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    parameters = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            parameters[expected[1:-1]] = part
        elif expected != part.lower():
            return None
    return parameters
