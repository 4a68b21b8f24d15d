"""What the certificate at the other end of a gRPC connection says, once TLS has verified it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from segint_grpc.tls.authority import GATEWAY_URI


class Authenticated(Protocol):
    """An RPC's context, so far as it is needed here."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Return what the transport knows of the other side."""


def is_trusted_gateway(context: Authenticated) -> bool:
    """Tell whether the caller showed a gateway's certificate of the authority in `tls_client_ca`.

    gRPC hands on what a certificate says only after it has verified it, and asks for one only where
    `tls_client_ca` is set; so without TLS, or without that setting, nobody is a gateway here. The name counts
    as a URI alone (`peer_uri`): a host name of the same text is none.
    """
    facts = context.auth_context()
    return b"ssl" in facts.get("transport_security_type", ()) and GATEWAY_URI.encode() in facts.get(
        "peer_uri", ()
    )
