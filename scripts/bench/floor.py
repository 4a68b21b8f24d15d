"""The floor: one Python process that only inflates, thresholds and deflates, with the standard library.

`Floor` runs it as a process of its own, so that nothing of the benchmark's is in its way; what it is asked
for is one line with the path of a gzip, what it answers the seconds that the work took.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

LIMIT_HU = 150
LEVEL = 1


def work(data: bytes) -> bytes:
    """Return the gzip of the mask of the int16 voxels in the gzip `data`."""
    voxels = np.frombuffer(gzip.decompress(data), dtype="<i2")
    return gzip.compress((voxels > LIMIT_HU).view(np.uint8).data, LEVEL)


class Floor:
    """The process; a context manager."""

    def __init__(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            (sys.executable, "-m", __name__), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, data: Path) -> float:
        """Return how long the work on the gzip at `data` takes; reading the file is not counted."""
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(f"{data}\n")
        asked.flush()
        return float(answers.readline())

    def __enter__(self) -> Self:
        """Return this floor."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.communicate()


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        data = Path(line.rstrip("\n")).read_bytes()
        began = time.perf_counter()
        work(data)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
