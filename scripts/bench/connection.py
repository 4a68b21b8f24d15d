"""A kept-alive HTTP/1.1 connection on a bare socket: what the client costs is part of every figure.

It knows what the gateway sends and no more: a status line, headers with a Content-Length, a body.
"""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PROTOBUF = "application/x-protobuf"
TIMEOUT_S = 300.0
_READ_BYTES = 256 * 1024
_LOOK_S = 0.0002
SIOCOUTQNSD = 0x894B
"""Asks for the bytes that a TCP socket has not sent yet (linux/sockios.h)."""
_LENGTH = b"content-length:"


class HttpError(Exception):
    """The server's answer was no 200."""


@dataclass(frozen=True)
class Answer:
    """An answer's body, and when (CLOCK_MONOTONIC, ns) the request's last byte was on the wire."""

    body: bytes
    sent_ns: int


class Connection:
    """A connection to HOST:PORT; a context manager. Every request raises HttpError for another status."""

    def __init__(self, address: str, headers: Sequence[str] = ()) -> None:
        """Connect; every request brings `headers`, lines without their ends."""
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = address
        self._headers = tuple(headers)

    def head(self, method: str, path: str, *more: str) -> bytes:
        """Return a request up to its body."""
        usual = (f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Accept: {PROTOBUF}")
        lines = (*usual, *self._headers, *more, "", "")
        return "\r\n".join(lines).encode()

    def get(self, path: str) -> Answer:
        """Ask for `path`."""
        return self.ask(self.head("GET", path), ())

    def post(self, path: str, parts: Sequence[bytes]) -> Answer:
        """Post the body that `parts` make up."""
        length = f"Content-Length: {sum(map(len, parts))}"
        return self.ask(self.head("POST", path, f"Content-Type: {PROTOBUF}", length), parts)

    def ask(self, head: bytes, parts: Sequence[bytes]) -> Answer:
        """Send `head`, then `parts`, and return the answer."""
        if sum(map(len, parts)) < _READ_BYTES:
            head, parts = b"".join((head, *parts)), ()
        self.socket.sendall(head)
        for part in parts:
            self.socket.sendall(part)
        self._wait_until_sent()
        sent_ns = time.monotonic_ns()
        return Answer(self._body(), sent_ns)

    def _wait_until_sent(self) -> None:
        """Wait until the kernel has passed everything on: its buffer alone may hold megabytes."""
        while any(fcntl.ioctl(self.socket, SIOCOUTQNSD, bytes(4))):
            time.sleep(_LOOK_S)

    def _body(self) -> bytes:
        received = b""
        while not (end := received.find(b"\r\n\r\n") + 4) > 3:
            received += self._some(_READ_BYTES)
        length = content_length(received[:end])
        body = bytearray(received[end:])
        while len(body) < length:
            body += self._some(min(length - len(body), _READ_BYTES))
        if not received.startswith(b"HTTP/1.1 200 "):
            raise HttpError(f"{received[:end].decode()}{bytes(body).decode(errors='replace')}")
        return bytes(body)

    def _some(self, size: int) -> bytes:
        received = self.socket.recv(size)
        if not received:
            raise HttpError("the server closed the connection")
        return received

    def __enter__(self) -> Self:
        """Return this connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.socket.close()


def content_length(head: bytes) -> int:
    """Return what the headers `head` say of the body's length; raises HttpError where they don't."""
    lowered = head.lower()
    at = lowered.find(_LENGTH)
    if at < 0:
        raise HttpError(f"an answer without Content-Length: {head.decode()}")
    at += len(_LENGTH)
    return int(lowered[at : lowered.index(b"\r\n", at)])
