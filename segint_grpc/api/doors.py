"""The doors of the core: TCP, and two unix sockets in the private home, for its owner and for the gateway.

Who comes in where as whom is in api/doorkeeper.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from segint_grpc import errors
from segint_grpc.api.auditing import Auditor
from segint_grpc.api.interceptors import Admitting, Guard
from segint_grpc.api.transport import NO_LIMITS, Limits
from segint_grpc.home import unix_target

FOR_GATEWAY = frozenset({"segint.v1.Segmentation", "segint.v1.Operations", "grpc.health.v1.Health"})
"""What answers on the gateway's socket: jobs, and whether and how the core works."""


@dataclass(frozen=True)
class Registered:
    """A service: its full name, for instance `segint.v1.Models`, and what adds it to a server."""

    name: str
    add_to: Callable[[grpc.aio.Server], None]


def build_door(
    services: Sequence[Registered],
    doorkeeper: Admitting,
    limits: Limits = NO_LIMITS,
    auditor: Auditor | None = None,
) -> grpc.aio.Server:
    """Return a server, not bound and not started, that answers whom `doorkeeper` admits within `limits`.

    What is done through the door, and who is turned away, is told to `auditor`.
    """
    guard = Guard(doorkeeper, auditor)
    server = grpc.aio.server(
        interceptors=[guard], options=limits.options, maximum_concurrent_rpcs=limits.calls_max
    )
    for service in services:
        service.add_to(server)
    return server


def bind_tcp(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None = None) -> str:
    """Bind `server` to `address` (HOST:PORT, port 0 takes a free one); return it with the port it got.

    With `credentials` it speaks TLS there, and nothing else.

    Raises:
        StartRefused: the address is in use or not one of this machine's.
    """
    host = address.rpartition(":")[0]
    return f"{host}:{_bind(server, address, 'choose another with --grpc HOST:PORT', credentials)}"


def bind_unix(server: grpc.aio.Server, path: Path) -> None:
    """Bind `server` to the unix socket `path`, replacing one that a dead server left.

    The caller holds the home's lock, so a living server's socket is never replaced.

    Raises:
        StartRefused: the socket cannot be made.
    """
    path.unlink(missing_ok=True)
    _bind(server, unix_target(path), "choose another home with --home")
    path.chmod(0o600)


def _bind(
    server: grpc.aio.Server, target: str, advice: str, credentials: grpc.ServerCredentials | None = None
) -> int:
    try:
        if credentials is not None:
            return server.add_secure_port(target, credentials)
        return server.add_insecure_port(target)
    except RuntimeError:
        raise errors.StartRefused(
            f"Cannot listen on {target}: it is in use or not available; {advice}."
        ) from None
