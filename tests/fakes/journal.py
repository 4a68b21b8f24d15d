"""The journal that stand-ins write, read as it grows: a named pipe, so that waiting needs no polling."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    name: str
    event: str
    pid: int
    value: str


class Journal:
    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""
        self.lines: list[Line] = []

    def close(self) -> None:
        os.close(self._descriptor)

    def wait_for(self, name: str, event: str, timeout_s: float = 20.0) -> Line:
        """Return the next line of that kind, and drop what comes before it (all stays in `lines`)."""
        give_up = time.monotonic() + timeout_s
        while True:
            line = self._next(give_up)
            if (line.name, line.event) == (name, event):
                return line

    def _next(self, give_up: float) -> Line:
        while b"\n" not in self._rest:
            left = give_up - time.monotonic()
            ready, _, _ = select.select([self._descriptor], [], [], max(0.0, left))
            assert ready, f"nothing more in the journal after {self.lines}"
            self._rest += os.read(self._descriptor, 65536)
        text, _, self._rest = self._rest.partition(b"\n")
        name, event, pid, value = text.decode().split(" ", 3)
        self.lines.append(Line(name, event, int(pid), value))
        return self.lines[-1]
