"""The folder of a local authority: its certificate and key, the server's, and those of clients."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509

from segint_grpc import errors
from segint_grpc.tls.authority import Pair, make_authority, make_client, make_server, read_pair, write_pair

_CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class AuthorityFolder:
    """The paths in one folder, and what is made there."""

    def __init__(self, path: Path) -> None:
        """Name the files in `path`; nothing is touched."""
        self.path = path
        self.authority = path / "authority.pem"
        self.authority_key = path / "authority.key"
        self.server = path / "server.pem"
        self.server_key = path / "server.key"
        self.clients = path / "clients"

    def make(self, names: Sequence[str], force: bool = False) -> Pair:
        """Make an authority and with it a server's certificate for `names`; return the latter.

        Raises:
            AlreadyExists: a file is there and `force` is not given.
            InvalidRequest: a name is none.
            Unwritable: a file cannot be written.
        """
        files = (self.authority, self.authority_key, self.server, self.server_key)
        _check_free(files, force, "; `segint certs renew` renews the server's certificate alone")
        authority = make_authority(f"SegInt authority of {socket.gethostname()}")
        server = make_server(authority, names)
        write_pair(authority, self.authority, self.authority_key)
        write_pair(server, self.server, self.server_key)
        return server

    def renew(self, names: Iterable[str]) -> Pair:
        """Make the server a new certificate, for the names of the old one and `names`; return it.

        Raises:
            NotFound: there is no authority here.
            Unwritable: a file cannot be written.
        """
        old = read_pair(self.server, self.server_key).certificate if self.server.exists() else None
        every = dict.fromkeys([*(names_in(old) if old else ()), *names])
        server = make_server(self._authority(), list(every))
        write_pair(server, self.server, self.server_key)
        return server

    def client(self, name: str, gateway: bool, force: bool = False) -> tuple[Path, Path]:
        """Make the client `name` a certificate, and with `gateway` one of a gateway; return it and its key.

        Raises:
            InvalidRequest: `name` is none that a file could have.
            AlreadyExists: it has one already and `force` is not given.
            NotFound: there is no authority here.
        """
        if not _CLIENT_NAME.fullmatch(name):
            raise errors.InvalidRequest(
                f"{name!r} is no name for a client: letters, digits, dot, dash and underscore, 64 at most."
            )
        certificate, key = self.clients / f"{name}.pem", self.clients / f"{name}.key"
        _check_free((certificate, key), force, "")
        write_pair(make_client(self._authority(), name, gateway), certificate, key)
        return certificate, key

    def _authority(self) -> Pair:
        return read_pair(self.authority, self.authority_key)


def names_in(certificate: x509.Certificate) -> list[str]:
    """Return the names and addresses (subjectAltName) that the certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in extension.value]


def _check_free(files: Sequence[Path], force: bool, advice: str) -> None:
    there = next((path for path in files if path.exists()), None)
    if there is not None and not force:
        raise errors.AlreadyExists(f"{there} is there already{advice}; --force replaces it.")
