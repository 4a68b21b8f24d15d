"""The line to the server of a home, over the unix socket that lies in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import grpc

from segint_grpc import errors, logs
from segint_grpc.home import Home, unix_target

CHUNK_BYTES = 1024 * 1024
DEADLINE_S = 60.0
"""For every call but a transfer, which takes as long as it takes."""

OPTIONS: Sequence[tuple[str, int]] = (("grpc.max_receive_message_length", 64 * 1024 * 1024),)


class Connection:
    """A connection to the server of one home; a context manager.

    Every method of its subclasses raises ServerUnreachable where no server runs on the home, and
    ServerRefused with the server's own sentence where it says no.
    """

    def __init__(self, home: Home) -> None:
        """Prepare to talk to the server of `home`."""
        self._home = home
        self._channel = grpc.insecure_channel(unix_target(home.socket), options=OPTIONS)

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
                raise errors.ServerUnreachable(
                    f"No server runs on the home {self._home.path}; "
                    f"start one with: segint serve --home {self._home.path}"
                ) from None
            raise errors.ServerUnreachable(f"The server did not answer: {error.details()}") from None

    def __enter__(self) -> Self:
        """Return this connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._channel.close()
