"""Which GPU a model's process takes, and what GPUs have free, asked of nvidia-smi: CUDA is not begun for it.

CUDA itself takes some hundred megabytes of every GPU that it is asked about. GPUs are numbered as CUDA
numbers them for this process, in the order in which nvidia-smi lists them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SEAT = "SEGINT_SEAT"
"""Where the model's process keeps its number among those that live, from 0; it spreads them over the GPUs."""

DRIVER = Path("/dev/nvidiactl")
"""It is there where a GPU can be used."""

DEVICE_FILES = "/dev/nvidia"
"""How the names of the files begin that a process which uses a GPU has open."""

SHARE_ENOUGH = 0.5
"""Of what the freest GPU has free: with so much a model that declares nothing takes the GPU of its seat."""

PATIENCE_S = 10.0
_MIB = 1024**2
_GIB = 1024**3


def seat() -> int:
    """Return this process's number among the model processes that live."""
    text = os.environ.get(SEAT, "")
    return int(text) if text.isdigit() else 0


def number_alike() -> None:
    """Have CUDA, which must not have begun, number GPUs as nvidia-smi does, unless somebody has said how."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def candidates(count: int, need_bytes: int, free: Mapping[int, int]) -> list[int]:
    """Return the numbers of `count` GPUs, the one to take first: that of the seat if it has enough free.

    `free` is what they have free, as far as it is known; those that lack `need_bytes` come last.
    """
    if not count:
        return []
    own = seat() % count
    enough = need_bytes or int(SHARE_ENOUGH * max(free.values(), default=0))
    return sorted(
        range(count),
        key=lambda number: (
            free.get(number, enough) < enough,
            number != own,
            -free.get(number, 0),
        ),
    )


def free_bytes() -> dict[int, int]:
    """Return what each GPU that this process may use has free, by CUDA's number; nothing if unknown."""
    known: dict[str, int] = {}
    for row in _asked("--query-gpu=index,uuid,memory.free"):
        index, uuid, free = (*row, "", "", "")[:3]
        if free.isdigit():
            known |= {index: int(free) * _MIB, uuid: int(free) * _MIB}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    wanted = [name for name in known if name.isdigit()] if visible is None else visible.split(",")
    found: dict[int, int] = {}
    for number, name in enumerate(wanted):
        if name.strip() not in known:
            # CUDA, too, sees nothing from the first on that it does not know.
            break
        found[number] = known[name.strip()]
    return found


def held_bytes(pid: int) -> int:
    """Return the GPU memory that `pid` holds, CUDA's own included; 0 where it holds none or it is unknown."""
    rows = _asked("--query-compute-apps=pid,used_memory")
    return sum(int(row[1]) * _MIB for row in rows if row[0] == str(pid) and row[1:] and row[1].isdigit())


def own_bytes() -> int:
    """Return the GPU memory that this process holds; torch's alone where nvidia-smi does not know it."""
    if not any(_opened(name).startswith(DEVICE_FILES) for name in os.listdir("/proc/self/fd")):
        return 0
    torch = sys.modules.get("torch")
    if held := held_bytes(os.getpid()):
        return held
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(torch.cuda.memory_reserved(number) for number in range(torch.cuda.device_count()))


def _opened(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def gib(size_bytes: int) -> str:
    """Return a size as messages tell it."""
    return f"{size_bytes / _GIB:.2f} GiB"


def _asked(query: str) -> list[list[str]]:
    """Return the rows of what nvidia-smi answers; none where it is missing or at a loss."""
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    lines = made.stdout.splitlines() if made.returncode == 0 else []
    return [[field.strip() for field in line.split(",")] for line in lines]
