"""The core's side of the fork server."""

from __future__ import annotations


class ForkServer:
    """A running fork server."""


def start(threads: int = 0) -> ForkServer:
    """Start the fork server; called before gRPC, SQLite and threads exist in this process."""
    raise NotImplementedError
