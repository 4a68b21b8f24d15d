"""What a gRPC port is protected with: TLS by files that may change, and limits against abuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from segint_grpc.domain.access import Door
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import Identity
from segint_grpc.tls.watched import Watched


@dataclass(frozen=True)
class Limits:
    """What gRPC itself watches over: its channel arguments, and the most calls at a time (None: any)."""

    options: tuple[tuple[str, int], ...]
    calls_max: int | None = None


NO_LIMITS = Limits(
    (
        # Without this a second server takes the same port in silence (pitfall of SO_REUSEPORT).
        ("grpc.so_reuseport", 0),
        # Find clients that vanished without a word.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # 0 lets clients ask after the server as often as they like.
        ("grpc.http2.max_ping_strikes", 0),
        # How much of an upload may wait unread. By default gRPC lets it grow with the connection's speed:
        # 60 MB for eight uploads at once, where this takes 33 and costs no time.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 1024 * 1024),
    )
)
"""For a unix socket, which only this machine's own programs reach."""


def unix_limits(settings: Settings) -> Limits:
    """Return the limits of a unix socket: the size of messages alone."""
    return Limits((*NO_LIMITS.options, ("grpc.max_receive_message_length", settings.grpc_message_max_bytes)))


def tcp_limits(settings: Settings) -> Limits:
    """Return the limits of the TCP port.

    A connection that pings too often is ended at the third time. One that is old or idle is told to take no
    new calls; those under way go on to their end.
    """
    options = {
        **dict(unix_limits(settings).options),
        "grpc.max_allowed_incoming_connections": settings.grpc_connections_max,
        "grpc.max_concurrent_streams": settings.grpc_streams_max,
        "grpc.max_metadata_size": settings.grpc_metadata_max_bytes,
        "grpc.absolute_max_metadata_size": settings.grpc_metadata_max_bytes,
        "grpc.http2.min_ping_interval_without_data_ms": _milliseconds(settings.grpc_ping_interval_min_s),
        "grpc.http2.max_ping_strikes": 2,
        "grpc.max_connection_idle_ms": _milliseconds(settings.grpc_idle_s),
        "grpc.max_connection_age_ms": _milliseconds(settings.grpc_connection_age_s),
        "grpc.server_handshake_timeout_ms": _milliseconds(settings.header_timeout_s),
    }
    return Limits(tuple(options.items()), settings.grpc_calls_max)


def limits_of(door: Door, settings: Settings) -> Limits:
    """Return the limits of `door`."""
    return tcp_limits(settings) if door is Door.TCP else unix_limits(settings)


def server_credentials(watched: Watched) -> grpc.ServerCredentials:
    """Return credentials for TLS 1.2 and up that follow the files; gRPC asks at each handshake."""
    shown = watched.identity()

    def changed() -> Any:
        nonlocal shown
        present = watched.identity()
        if present is shown:
            return None  # which says "as before"; the type stubs do not know of it
        shown = present
        return _configuration(present)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown), changed, require_client_authentication=watched.asks_for_certificate
    )


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key_pem, identity.chain_pem)], identity.authority_pem
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
