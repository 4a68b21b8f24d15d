"""One server at a time in a home: a lock on `run/serve.lock`, held until the last process of it is gone."""

from __future__ import annotations

import fcntl
import os
import time
from types import TracebackType
from typing import Self

from segint_grpc import errors
from segint_grpc.home import Home
from segint_grpc.serve.record import identity

PATIENCE_S = 5.0
_POLL_S = 0.02


class HomeLock:
    """The lock (flock(2)) as a context manager.

    Core and gateway inherit the descriptor. When a server was killed, the lock is therefore free once its
    children are gone too, and with them its ports: a start that follows at once waits for that moment.
    """

    def __init__(self, home: Home, patience_s: float = PATIENCE_S) -> None:
        """Name the home; nothing is locked yet."""
        self.home = home
        self.descriptor = -1
        self._path = home.run / "serve.lock"
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StartRefused: a server runs in this home.
        """
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take()
        except BaseException:
            os.close(self.descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; the file stays, since removing it would race with the next start."""
        os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)

    def _take(self) -> None:
        give_up = time.monotonic() + self._patience_s
        while not self._try():
            owner = os.pread(self.descriptor, 256, 0).decode(errors="replace").split()
            alive = len(owner) == 2 and owner[0].isdecimal() and identity(int(owner[0])) == owner[1]
            if alive or time.monotonic() > give_up:
                who = f" (process {owner[0]})" if alive else ""
                raise errors.StartRefused(
                    f"A server already runs in the home {self.home.path}{who}; stop that one first, "
                    "or choose another home with --home."
                )
            time.sleep(_POLL_S)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{os.getpid()} {identity(os.getpid())}\n".encode(), 0)

    def _try(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
