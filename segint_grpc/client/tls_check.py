"""What `segint doctor` looks at in the server's certificate."""

from __future__ import annotations

from datetime import UTC, datetime

from segint_grpc import errors
from segint_grpc.client.findings import Finding, ok, problem, warning
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import WARNED_BEFORE, read, server_files


def check_tls(settings: Settings, now: datetime | None = None) -> Finding:
    """Look at whether the certificate and its key can be used, and for how long."""
    try:
        files = server_files(settings)
        identity = read(files, now) if files else None
    except errors.InvalidSetting as error:
        return problem("tls", error.message, "segint certs show")
    if identity is None:
        return ok("tls", "There is no certificate; what goes over the network is not encrypted.")
    ends = f"The certificate ends on {identity.ends_at:%Y-%m-%d}"
    left = identity.ends_at - (now or datetime.now(UTC))
    if left <= WARNED_BEFORE:
        return warning("tls", f"{ends}, in {left.days} days.", "segint certs renew")
    return ok("tls", f"{ends}.")
