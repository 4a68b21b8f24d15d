"""HTTP with one server elsewhere: one connection, kept alive; no redirect, no proxy, no word of what is sent.

Certificates are always checked. What goes wrong is told by the server's name and the request's path alone.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from segint_grpc import errors
from segint_grpc.backends.remote_answer import Answer
from segint_grpc.backends.remote_call import URL, RemoteCall
from segint_grpc.domain.remotes import Origin, RemoteRules

CONNECT_S = 10.0
TOKEN_MAX = 16_384

_CUT = (ConnectionResetError, BrokenPipeError)
_BROKEN = (http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError)
_TIMEOUTS = (TimeoutError, urllib3.exceptions.TimeoutError)


@dataclass(frozen=True)
class Body:
    """What is sent: `chunks` makes its pieces, anew where it has to be sent again."""

    chunks: Callable[[], Iterator[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict)

    def until(self, deadline: float) -> Body:
        """Return the same, whose pieces end in a TimeoutError after `deadline` (time.monotonic)."""

        def chunks() -> Iterator[bytes]:
            for piece in self.chunks():
                if time.monotonic() > deadline:
                    raise TimeoutError
                yield piece

        return Body(chunks, self.headers)


class RemoteServer:
    """The server of one model."""

    def __init__(self, call: RemoteCall, rules: RemoteRules) -> None:
        """Read token and authority; connect to nothing yet.

        Raises:
            InvalidModel: no scan may be sent there, or a file of the settings cannot be used.
        """
        rules.check(call.origin)
        self.name = str(call.origin)
        self._is_listed = call.origin in rules.servers
        self._timeout_s = call.timeout_s
        self._answer_max_bytes = rules.answer_max_bytes
        self._token_file = rules.tokens / call.origin.token_file if rules.tokens else None
        self._token = _token(self._token_file)
        self._connection = _connection(call.origin, rules.authority)
        weakref.finalize(self, self._connection.close)

    @contextmanager
    def answer(self, method: str, path: str, body: Body | None = None) -> Iterator[Answer]:
        """Give the answer to a request while the context lasts; reading it is part of the request.

        Raises:
            ModelFailure: the server cannot be reached, redirects, refuses the credential, takes too long or
                breaks off.
        """
        deadline = time.monotonic() + self._timeout_s
        with self._told(f"{method} {path}"):
            response = self._sent(method, path, body and body.until(deadline))
            answer = Answer(response, self._answer_max_bytes, deadline)
            try:
                self._refuse(answer.status)
                yield answer
            finally:
                if not answer.is_read:
                    self._connection.close()

    def _sent(self, method: str, path: str, body: Body | None) -> Any:
        connection = self._connection
        if not connection.is_closed and not connection.is_connected:
            connection.close()
        kept_alive = not connection.is_closed
        try:
            return self._once(method, path, body)
        except _CUT:
            connection.close()
            if not kept_alive:
                raise
        # A server may end an idle connection in the moment in which it is used again.
        return self._once(method, path, body)

    def _once(self, method: str, path: str, body: Body | None) -> Any:
        connection = self._connection
        if connection.is_closed:
            self._refuse_elsewhere()
            connection.timeout = min(CONNECT_S, self._timeout_s)
            connection.connect()
        connection.timeout = self._timeout_s
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "segint"}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        chunks, more = (body.chunks(), body.headers) if body else (None, {})
        try:
            connection.request(method, path, chunks, headers | dict(more), preload_content=False)
        except _CUT:
            # It may have answered before it had read everything; if not, the next line raises the same.
            if connection.sock is None:
                raise
        return connection.getresponse()

    def _refuse_elsewhere(self) -> None:
        """Raise InvalidModel where what is this machine by its name leads to another, which nobody listed."""
        if self._is_listed:
            return
        with suppress(socket.gaierror):
            found = socket.getaddrinfo(self._connection.host, self._connection.port)
            addresses = {str(address[0]) for *_, address in found}
            if odd := sorted(one for one in addresses if not ip_address(one).is_loopback):
                raise errors.InvalidModel(
                    f"No scan may be sent to {self.name}: the name leads to {odd[0]}, which is not this "
                    "machine. Write 127.0.0.1 for it, or mend /etc/hosts."
                )

    def _refuse(self, status: int) -> None:
        if 300 <= status < 400:
            raise errors.ModelFailure(
                f"The server {self.name} redirects (status {status}); that is never followed, since a "
                f"scan goes to the server alone that was named. Set the parameter {URL} to the model's place."
            )
        if status in (401, 403):
            mend = f"put its token into {self._token_file}" if self._token_file else "it wants a token"
            shown = "the token that it was shown" if self._token else "a request without a token"
            raise errors.ModelFailure(f"The server {self.name} refused {shown} (status {status}); {mend}.")

    @contextmanager
    def _told(self, request: str) -> Iterator[None]:
        """Turn what goes wrong on the way into a ModelFailure, and close the connection."""
        try:
            yield
        except errors.SegIntError:
            raise
        except (OSError, *_BROKEN) as error:
            self._connection.close()
            raise errors.ModelFailure(f"The server {self.name} {self._fault(error)} ({request}).") from error

    def _fault(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"shows a certificate that is not trusted: {error.verify_message}. If its authority is your "
                "own, name it in the setting open_inference_ca"
            )
        if isinstance(error, ssl.SSLError):
            return f"does not speak TLS as it should: {error.reason}"
        unreached = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
        if isinstance(error, unreached):
            why = getattr(error.__cause__, "strerror", None) or "no answer"
            return f"cannot be reached: {why}. See that it runs, and that {URL} is right"
        if isinstance(error, _TIMEOUTS):
            return f"did not answer within {self._connection.timeout:g} s (parameter timeout_s)"
        if isinstance(error, OSError):
            return f"broke off: {error.strerror or 'it closed the connection'}"
        if isinstance(error, ValueError):
            return f"answered with what is no inference response: {error}"
        return "broke off its answer, or does not speak HTTP"


def _connection(origin: Origin, authority: Path | None) -> HTTPConnection:
    if origin.scheme == "http":
        return HTTPConnection(origin.host, origin.port)
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
    except OSError as error:
        why = error.strerror or error
        raise errors.InvalidModel(
            f"The file of the setting open_inference_ca cannot be used: {why}."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return HTTPSConnection(origin.host, origin.port, ssl_context=context)


def _token(path: Path | None) -> str:
    """Return the token in `path`, empty where there is no such file."""
    if path is None or not path.exists():
        return ""
    if path.stat().st_mode & 0o077:
        raise errors.InvalidModel(f"The token file {path} can be read by others; chmod 600 mends it.")
    token = path.read_text(errors="replace").strip()
    if not token.isascii() or not token.isprintable() or " " in token or not 0 < len(token) <= TOKEN_MAX:
        raise errors.InvalidModel(f"The token file {path} must hold a token and nothing else.")
    return token
