"""Where a connection waits until it is counted and, on the port with TLS, known: then HTTP begins."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from http_gateway.census import Census
from http_gateway.connection import Connection
from segint_grpc.tls.context import ServerContext

log = logging.getLogger(__name__)

SHUTDOWN_S = 5.0
"""How long the other side's word of goodbye (close_notify) is waited for."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n"
    b"Connection: close\r\nServer: segint\r\n\r\n"
)


@dataclass(frozen=True)
class House:
    """What stands behind the doorstep."""

    connect: Callable[[], Connection]
    census: Census
    handshake_s: float
    tls: ServerContext | None = None


class Doorstep(asyncio.Protocol):
    """One connection before HTTP; a guest that counts as idle."""

    def __init__(self, house: House) -> None:
        """Wait before `house`."""
        self.address = ""
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._transport: asyncio.Transport | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection in, or turn it away with 503 (with TLS: without a word)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.address = address_of(transport)
        if not self._house.census.admit(self):
            if self._house.tls is None:
                transport.write(_FULL)
            transport.close()
        elif self._house.tls is None:
            self._go_in(transport)
        else:
            # Not a byte may be read before TLS reads it.
            transport.pause_reading()
            self._handshake = self._loop.create_task(self._shake_hands(transport, self._house.tls))

    def data_received(self, data: bytes) -> None:
        """Keep what came with the end of the handshake until HTTP begins."""
        self._early.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        self._house.census.forget(self)

    def idle_since(self) -> float:
        """Return when it came."""
        return self._began_s

    def leave(self) -> None:
        """End at once."""
        if self._handshake is not None:
            self._handshake.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _shake_hands(self, transport: asyncio.Transport, tls: ServerContext) -> None:
        try:
            secured = await self._loop.start_tls(
                transport,
                self,
                tls,
                server_side=True,
                ssl_handshake_timeout=self._house.handshake_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except (OSError, ssl.SSLError) as error:
            self._house.census.forget(self)
            log.info("no TLS: %s", _reason(error), extra={"peer": self.address})
            return
        self._go_in(secured)

    def _go_in(self, transport: asyncio.Transport | None) -> None:
        """Hand the connection over to HTTP."""
        if transport is None or transport.is_closing():
            self._house.census.forget(self)
            return
        connection = self._house.connect()
        connection.address = self.address
        transport.set_protocol(connection)
        self._house.census.replace(self, connection)
        connection.connection_made(transport)
        for data in self._early:
            connection.data_received(data)


class DoorSite(web.BaseSite):
    """A port of the gateway, on which each connection first waits on the doorstep."""

    def __init__(self, runner: web.ServerRunner, host: str, port: int, house: House) -> None:
        """Listen on `host` and `port` once started."""
        super().__init__(runner, backlog=1024)
        self._where = (host, port)
        self._house = house

    @property
    def name(self) -> str:
        """The port as a URL, for people."""
        scheme = "https" if self._house.tls else "http"
        return f"{scheme}://{self._where[0]}:{self._where[1]}"

    @property
    def bound(self) -> tuple[str, int]:
        """The address and the port that were really taken."""
        assert isinstance(self._server, asyncio.Server)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen; raises OSError."""
        await super().start()
        host, port = self._where
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Doorstep(self._house), host, port, backlog=self._backlog
        )


def address_of(transport: asyncio.BaseTransport) -> str:
    """Return the client's address, without the port; "" where it is gone already."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def _reason(error: Exception) -> str:
    """Return why there is no TLS; what the other side sent is not repeated."""
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "the handshake failed").replace("_", " ").lower()
    return "the handshake did not end in time" if "handshake" in str(error) else "the client went away"
