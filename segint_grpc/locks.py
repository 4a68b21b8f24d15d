"""A lock on a file that ends with its process, however that ends (flock(2))."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segint_grpc import errors

RETRY_S = 0.05


@contextmanager
def locked(path: Path, refusal: str, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the lock on `path`, waiting up to `patience_s` for a holder that is about to end.

    Raises:
        StartRefused: somebody else holds it; the message is `refusal`.
    """
    give_up = time.monotonic() + patience_s
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    raise errors.StartRefused(refusal) from None
                time.sleep(RETRY_S)
        yield
