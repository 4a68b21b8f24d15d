"""What a figure depends on: the machine, the versions, and what else is going on."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("aiohttp", "grpcio", "isal", "numpy", "protobuf", "torch")


def facts() -> dict[str, Any]:
    """Return the facts, each a number or a text."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
        "fsync_ms": round(fsync_ms(), 2),
        "load": round(os.getloadavg()[0], 2),
        "commit": commit(),
    }


def processor() -> str:
    """Return the processor's own name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def fsync_ms(times: int = 9) -> float:
    """Return how long it takes to make 4 KiB durable where temporary files lie."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(times):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


def commit() -> str:
    """Return the commit that is measured; a plus sign says that files differ from it."""
    return _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
