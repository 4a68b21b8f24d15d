"""How tests of who may do what reach a server: each wire is the same network with another protection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection

import grpc


@dataclass(frozen=True)
class Wire:
    """A way to reach a server at HOST:PORT, and the settings that the server needs for it."""

    name: str
    channel: Callable[[str], grpc.Channel] = grpc.insecure_channel
    http: Callable[[str], HTTPConnection] = HTTPConnection
    settings: Mapping[str, object] = field(default_factory=dict)


PLAIN = Wire("plain")
WIRES = (PLAIN,)
"""Every wire that the authorization table is run over."""
