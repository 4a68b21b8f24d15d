"""What is encrypted and what is not, said at the start; and the certificate, checked before it."""

from __future__ import annotations

from datetime import UTC, datetime

from segint_grpc.serve.addresses import parse_endpoint
from segint_grpc.serve.record import Running
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import WARNED_BEFORE, Identity, core_files, read, server_files


def check_certificate(settings: Settings) -> Identity | None:
    """Return what the server shows, None without TLS; raises InvalidSetting where it is of no use."""
    core = core_files(settings)
    if core is not None:
        read(core)
    files = server_files(settings)
    return read(files) if files else None


def security_notes(settings: Settings, running: Running) -> tuple[str, ...]:
    """Return what the person who starts the server should know of its encryption."""
    identity = check_certificate(settings)
    notes = [] if identity is None else ending(identity)
    if running.http and not parse_endpoint(running.http, "http").loopback:
        notes.append(
            f"HTTP on {running.http} is not encrypted: who can listen in on the network reads the scans. "
            "Only the routes that Velocity needs answer there to other machines."
        )
    if identity is None and not parse_endpoint(running.grpc, "grpc").loopback:
        notes.append(
            f"gRPC on {running.grpc} is not encrypted; set tls_certificate and tls_key (`segint certs init`)."
        )
    return tuple(notes)


def ending(identity: Identity, now: datetime | None = None) -> list[str]:
    """Return a warning where the certificate ends soon, else nothing."""
    left = identity.ends_at - (now or datetime.now(UTC))
    if left > WARNED_BEFORE:
        return []
    return [
        f"The certificate ends on {identity.ends_at:%Y-%m-%d}, in {max(left.days, 0)} days; "
        "`segint certs renew` renews one of the local authority, and the server takes it up by itself."
    ]
