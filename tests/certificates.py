"""Certificates for tests: a local authority, a server on this machine, clients; and ends that are near."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from segint_grpc.tls import authority
from segint_grpc.tls.folder import AuthorityFolder

NAMES = ("localhost", "127.0.0.1")


class Certificates(AuthorityFolder):
    """A folder with an authority and a server's certificate, made at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.make(NAMES)

    @property
    def settings(self) -> dict[str, str]:
        """Those of a server that shows this certificate."""
        return {"tls_certificate": str(self.server), "tls_key": str(self.server_key)}

    @property
    def settings_with_clients(self) -> dict[str, str]:
        """Those of a server that asks for certificates, too."""
        return {**self.settings, "tls_client_ca": str(self.authority)}

    def context(self, client: str = "") -> ssl.SSLContext:
        """A client's TLS, which knows the authority and shows the certificate of `client`."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if client:
            certificate, key = self.clients / f"{client}.pem", self.clients / f"{client}.key"
            if not certificate.exists():
                self.client(client, gateway=False)
            context.load_cert_chain(certificate, key)
        return context


@contextmanager
def lifetime(monkeypatch: pytest.MonkeyPatch, life: timedelta) -> Iterator[None]:
    """Have certificates that are made meanwhile end after `life`."""
    with monkeypatch.context() as patch:
        patch.setattr(authority, "SIGNED_LIFE", life)
        yield
