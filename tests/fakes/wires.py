"""How tests of who may do what reach a server: each wire is the same network with another protection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import grpc

from tests.acceptance.serving import Server
from tests.certificates import Certificates


@dataclass(frozen=True)
class Wire:
    """A way to reach a server, and the settings that the server needs for it."""

    channel: Callable[[str], grpc.Channel] = grpc.insecure_channel
    http: Callable[[str], HTTPConnection] = HTTPConnection
    settings: Mapping[str, object] = field(default_factory=dict)

    def connection(self, server: Server) -> HTTPConnection:
        """Return a new connection over HTTP, by TLS where the server speaks it."""
        return self.http(server.https or server.http)


def plain(folder: Path) -> Wire:
    """Nothing is encrypted."""
    return Wire()


def tls(folder: Path) -> Wire:
    """TLS on both ports, with an authority in `folder`."""
    certificates = Certificates(folder)
    credentials = grpc.ssl_channel_credentials(certificates.authority.read_bytes())
    return Wire(
        partial(grpc.secure_channel, credentials=credentials),
        partial(HTTPSConnection, context=certificates.context()),
        {"https": "127.0.0.1:0", **certificates.settings},
    )


WIRES = (plain, tls)
"""Makes every wire that the authorization table is run over, each with a folder of its own."""
