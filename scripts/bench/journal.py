"""When a model was called and when it returned: written by the model's process, read by the benchmark."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Call:
    """One call's begin and end (CLOCK_MONOTONIC, ns; Linux has one such clock for all processes)."""

    begun_ns: int
    ended_ns: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended_ns - self.begun_ns) / 1e9


@contextmanager
def journaled(path: str) -> Iterator[None]:
    """Add the time that the block takes to the journal at `path`."""
    begun_ns = time.monotonic_ns()
    yield
    with open(path, "a") as journal:
        journal.write(f"{begun_ns} {time.monotonic_ns()}\n")


def last_call(path: Path) -> Call:
    """Return the last call in the journal at `path`."""
    begun, ended = path.read_text().splitlines()[-1].split()
    return Call(int(begun), int(ended))
