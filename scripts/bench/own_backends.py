"""The benchmark's back ends: they come to the server as any that is installed beside it, by entry points."""

from __future__ import annotations

import os
from pathlib import Path

from scripts.bench import int16_backend, onnx_backend

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {int16_backend.NAME: int16_backend.Int16Threshold, onnx_backend.NAME: onnx_backend.JournaledOnnx}


def register(folder: Path) -> dict[str, str]:
    """Make a distribution with the entry points in `folder`; return the environment that finds it."""
    metadata = folder / "segint_bench-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: segint-bench\nVersion: 0\n")
    lines = [f"{name} = {made.__module__}:{made.__name__}\n" for name, made in CLASSES.items()]
    (metadata / "entry_points.txt").write_text("".join(["[segint.backends]\n", *lines]))
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
