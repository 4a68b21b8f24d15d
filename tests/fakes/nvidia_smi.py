"""An nvidia-smi that says what a test wants: a real program on the PATH, for machines without a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

MIB = 1024**2
GIB = 1024**3

PROGRAM = """#!/bin/sh
case "$1" in
--query-gpu=index,uuid,memory.free) cat {folder}/gpus ;;
--query-compute-apps=pid,used_memory) cat {folder}/apps ;;
*) exit 2 ;;
esac
"""


def uuid(number: int) -> str:
    return f"GPU-0000000{number}-aaaa"


class NvidiaSmi:
    """What it answers lies in files of `folder`, which a test may change at any time."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "nvidia"
        self._folder.mkdir()
        self.apps = self._folder / "apps"
        program = self._folder / "nvidia-smi"
        program.write_text(PROGRAM.format(folder=self._folder))
        program.chmod(0o700)
        patch.setenv("PATH", str(self._folder), prepend=":")
        self.free()
        self.held({})

    def free(self, *free_bytes: int | str) -> None:
        """Have so many GPUs, with so much free each; a text stands as it is."""
        shown = [value if isinstance(value, str) else value // MIB for value in free_bytes]
        rows = [f"{number}, {uuid(number)}, {free}\n" for number, free in enumerate(shown)]
        (self._folder / "gpus").write_text("".join(rows))

    def held(self, by_pid: dict[int, Sequence[int]]) -> None:
        """Have processes hold memory, of each GPU that they are on."""
        rows = [f"{pid}, {size // MIB}\n" for pid, sizes in by_pid.items() for size in sizes]
        self.apps.write_text("".join(rows))

    def lose(self) -> None:
        """Answer nothing more, as where the driver is broken."""
        (self._folder / "gpus").unlink()
        self.apps.unlink()
