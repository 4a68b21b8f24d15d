"""TLS as Python's ssl module does it: a server's context that follows its files, and a client's."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Any, Self

from segint_grpc import errors
from segint_grpc.tls.identity import Identity
from segint_grpc.tls.watched import Watched

log = logging.getLogger(__name__)


class ServerContext(ssl.SSLContext):
    """Makes each connection with the identity of that moment.

    asyncio asks a context for one `wrap_bio` a connection. Certificate, key and authority are all those of a
    context made for the present identity: loading into a living one would keep an authority that is gone.
    """

    def __new__(cls, watched: Watched) -> Self:
        """Make the shell; what it offers is never used itself."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, watched: Watched) -> None:
        """Follow `watched`."""
        self._watched = watched
        self._made_of = watched.identity()
        self._present = server_context(self._made_of)

    def ends_at_s(self) -> float:
        """Return when the present certificate ends, in seconds since 1970."""
        return self._watched.identity().ends_at.timestamp()

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Return one connection's TLS."""
        identity = self._watched.identity()
        if identity is not self._made_of:
            self._made_of = identity
            try:
                self._present = server_context(identity)
            except errors.InvalidSetting as error:
                log.error("The changed certificate is not used, the one before it stays: %s", error.message)
        return self._present.wrap_bio(*arguments, **options)


def server_context(identity: Identity) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and up that shows `identity`; its authority is asked of clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _show(context, identity)
    if identity.authority_pem is not None:
        context.load_verify_locations(cadata=identity.authority_pem.decode("ascii", "ignore"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(identity: Identity) -> ssl.SSLContext:
    """Return a context that checks the server's certificate and name, and shows that of `identity`.

    The server must be of the authority in `identity`, or of one that this machine knows where there is none.
    """
    authority = identity.authority_pem
    context = ssl.create_default_context(cadata=authority.decode("ascii", "ignore") if authority else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if identity.certificate is not None:
        _show(context, identity)
    return context


def _show(context: ssl.SSLContext, identity: Identity) -> None:
    """Load certificate and key as they were checked: ssl takes only files, and those may change meanwhile."""
    descriptor = os.memfd_create("segint-identity", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(identity.key_pem + b"\n" + identity.chain_pem)
        context.load_cert_chain(Path(f"/proc/self/fd/{descriptor}"))
    except ssl.SSLError as error:
        raise errors.InvalidSetting(f"The certificate cannot be used for TLS ({error.reason}).") from None
    finally:
        os.close(descriptor)
