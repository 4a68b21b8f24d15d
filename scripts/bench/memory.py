"""Resident memory as Linux accounts for it (proc(5)); all figures in bytes, all sums in MB of 10⁶ bytes.

A peak is VmHWM, which the kernel keeps itself: nothing is sampled, nothing missed, and mapped files count.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

MB = 1e6
SAMPLE_S = 0.02
_RESET_PEAK = "5"


def resident(process: psutil.Process) -> int:
    """Return what `process` has resident now, files that it maps included."""
    return _field(f"/proc/{process.pid}/status", "VmRSS:")


def peak(process: psutil.Process) -> int:
    """Return the most that `process` had resident since `reset_peak`, or its start."""
    return _field(f"/proc/{process.pid}/status", "VmHWM:")


def reset_peak(process: psutil.Process) -> int:
    """Let `peak` begin anew; return what is resident now."""
    Path(f"/proc/{process.pid}/clear_refs").write_text(_RESET_PEAK)
    return resident(process)


def shared_out(processes: Iterable[psutil.Process]) -> int:
    """Return what `processes` take together, pages that several map counted once (PSS)."""
    total = 0
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += _field(f"/proc/{process.pid}/smaps_rollup", "Pss:")
    return total


class Watch:
    """Watches what a server's processes take together, 50 times a second, while its context lasts."""

    def __init__(self, root: psutil.Process) -> None:
        """Watch `root` and everything below it."""
        self.peak_bytes = 0
        self._root = root
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            family = [self._root, *self._root.children(recursive=True)]
            self.peak_bytes = max(self.peak_bytes, shared_out(family))

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._ended.set()
        self._thread.join()


def _field(path: str, name: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(path)
