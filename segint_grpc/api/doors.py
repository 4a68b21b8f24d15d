"""The doors of the core: TCP, and two unix sockets in the private home, for its owner and for the gateway.

Who comes in where as whom is in api/doorkeeper.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from segint_grpc import errors
from segint_grpc.api.interceptors import Admitting, Guard
from segint_grpc.home import unix_target

FOR_GATEWAY = frozenset({"segint.v1.Segmentation", "segint.v1.Operations", "grpc.health.v1.Health"})
"""What answers on the gateway's socket: jobs, and whether and how the core works."""

OPTIONS: tuple[tuple[str, int], ...] = (
    # Without this a second server takes the same port in silence (pitfall of SO_REUSEPORT).
    ("grpc.so_reuseport", 0),
    # Find clients that vanished without a word, and bear clients that ask as often as every 10 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 0),
    # How much of an upload may wait unread. By default gRPC lets it grow with the speed of the connection:
    # 60 MB for eight uploads at once, where this takes 33 and costs no time.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
)
"""Message sizes stay at gRPC's 4 MiB: whatever is larger is streamed."""


@dataclass(frozen=True)
class Registered:
    """A service: its full name, for instance `segint.v1.Models`, and what adds it to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], None]


def build_door(services: Sequence[Registered], doorkeeper: Admitting) -> grpc.aio.Server:
    """Return a server, not bound and not started, that answers whom `doorkeeper` admits with `services`."""
    server = grpc.aio.server(interceptors=[Guard(doorkeeper)], options=OPTIONS)
    for service in services:
        service.add_to(server)
    return server


def bind_tcp(server: grpc.aio.Server, address: str) -> str:
    """Bind `server` to `address` (HOST:PORT, port 0 takes a free one); return it with the port it got.

    Raises:
        StartRefused: the address is in use or not one of this machine's.
    """
    host = address.rpartition(":")[0]
    return f"{host}:{_bind(server, address, 'choose another with --grpc HOST:PORT')}"


def bind_unix(server: grpc.aio.Server, path: Path) -> None:
    """Bind `server` to the unix socket `path`, replacing one that a dead server left.

    The caller holds the home's lock, so a living server's socket is never replaced.

    Raises:
        StartRefused: the socket cannot be made.
    """
    path.unlink(missing_ok=True)
    _bind(server, unix_target(path), "choose another home with --home")
    path.chmod(0o600)


def _bind(server: grpc.aio.Server, target: str, advice: str) -> int:
    try:
        return server.add_insecure_port(target)
    except RuntimeError:
        raise errors.StartRefused(
            f"Cannot listen on {target}: it is in use or not available; {advice}."
        ) from None
