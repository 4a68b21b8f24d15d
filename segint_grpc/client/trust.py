"""How a client knows the server, and the server the client, with TLS. Nothing here switches the check off."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

from segint_grpc.tls.context import client_context
from segint_grpc.tls.identity import Files, Identity, read

NAMES = ("--certificate", "--key", "--ca")
VARIABLES = ("SEGINT_CERTIFICATE", "SEGINT_KEY", "SEGINT_CA")


@dataclass(frozen=True)
class Trust:
    """PEM files: this side's certificate and key, and the authority of the server. None has to be given.

    Without an authority the server must be of one that this machine knows.
    """

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return TLS for HTTP; raises InvalidSetting where a file is of no use."""
        return client_context(self._read())

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return TLS for gRPC; raises as `context`."""
        identity = self._read()
        authority = identity.authority_pem
        if authority is None and self.certificate is None:
            return grpc.ssl_channel_credentials()
        return grpc.ssl_channel_credentials(authority, identity.key_pem or None, identity.chain_pem or None)

    def _read(self) -> Identity:
        return read(Files(self.certificate, self.key, self.authority, NAMES))


def from_environment(authority: Path | None = None, environment: Mapping[str, str] | None = None) -> Trust:
    """Return what SEGINT_CA, SEGINT_CERTIFICATE and SEGINT_KEY name; `authority` where the first does not."""
    given = os.environ if environment is None else environment
    certificate, key, ca = (Path(given[name]) if given.get(name) else None for name in VARIABLES)
    return Trust(certificate, key, ca or authority)
