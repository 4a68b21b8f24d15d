"""The identity in use: its files are read again when they have changed, at the next handshake.

A change that cannot be used (a key that does not match yet, half a file) is told in the log, and the identity
before it stays until the files change again. Connections that stand are not touched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from segint_grpc import errors
from segint_grpc.tls.identity import WARNED_BEFORE, Files, Identity, read

log = logging.getLogger(__name__)

_AGAIN = timedelta(days=1)

Stamp = tuple[tuple[int, int, int, int] | None, ...]


class Watched:
    """The identity of `files`, as they are now. Threads may share it: gRPC asks from its own."""

    def __init__(self, files: Files, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the files; raises InvalidSetting as `read`."""
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._identity = read(files, clock())
        self._warned_at = datetime.min.replace(tzinfo=UTC)
        self._warn_of_end()

    @property
    def asks_for_certificate(self) -> bool:
        """Whether the other side must show a certificate."""
        return self._files.authority is not None

    def identity(self) -> Identity:
        """Return the identity, the same object as long as nothing changed."""
        with self._lock:
            stamp = _stamp(self._files)
            if stamp != self._stamp:
                self._stamp = stamp
                self._read_again()
            self._warn_of_end()
            return self._identity

    def _read_again(self) -> None:
        try:
            self._identity = read(self._files, self._clock())
        except errors.InvalidSetting as error:
            log.error("The changed certificate is not used, the one before it stays: %s", error.message)
            return
        self._warned_at = datetime.min.replace(tzinfo=UTC)
        log.info("The certificate was read again.", extra={"ends": f"{self._identity.ends_at:%Y-%m-%d}"})

    def _warn_of_end(self) -> None:
        now = self._clock()
        if now < self._identity.ends_at - WARNED_BEFORE or now - self._warned_at < _AGAIN:
            return
        self._warned_at = now
        log.warning(
            "The certificate %s ends on %s.", self._files.certificate, f"{self._identity.ends_at:%Y-%m-%d}"
        )


def _stamp(files: Files) -> Stamp:
    """Return what tells the files' present content from another (stat(2)), None for one that is gone."""
    stamps: list[tuple[int, int, int, int] | None] = []
    for path in files.paths:
        try:
            found = path.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    return tuple(stamps)
