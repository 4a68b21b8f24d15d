"""The line to a server's core: over the admin socket of its home, or from elsewhere over TCP with a token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import grpc

from segint_grpc import errors, logs
from segint_grpc.client.bearer import Bearer
from segint_grpc.client.trust import Trust
from segint_grpc.home import Home, unix_target
from segint_grpc.networks import is_loopback, parse_endpoint

CHUNK_BYTES = 1024 * 1024
DEADLINE_S = 60.0
"""For every call but a transfer, which takes as long as it takes."""

OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True)
class Remote:
    """A server that is asked over TCP: its address (HOST:PORT), the token for it, and how it is known."""

    address: str
    token: str = field(default="", repr=False)
    trust: Trust = field(default_factory=Trust)


Place = Home | Remote


def open_channel(place: Place) -> grpc.Channel:
    """Return a channel to the server at `place`: to another machine always with TLS.

    To this machine it is with TLS where `place` says how the server is known.

    Raises:
        InvalidSetting: the address is none, or a file for TLS is of no use.
    """
    if isinstance(place, Home):
        return grpc.insecure_channel(unix_target(place.admin_socket), options=OPTIONS)
    host, _ = parse_endpoint(place.address, "server")
    if place.trust == Trust() and is_loopback(host):
        channel = grpc.insecure_channel(place.address, options=OPTIONS)
    else:
        channel = grpc.secure_channel(place.address, place.trust.channel_credentials(), options=OPTIONS)
    return grpc.intercept_channel(channel, Bearer(place.token)) if place.token else channel


class Connection:
    """A connection to one server; a context manager.

    Every method of its subclasses raises ServerUnreachable where no server answers, and ServerRefused with
    the server's own sentence where it says no.
    """

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`; raises as `open_channel`."""
        self._place = place
        self._channel = open_channel(place)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn a gRPC status into the error of its sentence."""
        try:
            yield
        except grpc.RpcError as error:
            metadata = error.trailing_metadata() or ()
            # The server sends a request id with whatever it says itself; without one, gRPC speaks.
            if any(item.key == logs.REQUEST_ID_METADATA for item in metadata):
                raise errors.ServerRefused(error.details() or "") from None
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise errors.ServerUnreachable(self._nobody_there()) from None
            raise errors.ServerUnreachable(f"The server did not answer: {error.details()}") from None

    def _nobody_there(self) -> str:
        if isinstance(self._place, Remote):
            return (
                f"No server answers at {self._place.address} that this machine trusts; is that its gRPC "
                "address, does it run, and is its certificate of the authority that --ca or SEGINT_CA names?"
            )
        home = self._place.path
        return f"No server runs on the home {home}; start one with: segint serve --home {home}"

    def __enter__(self) -> Self:
        """Return this connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._channel.close()
