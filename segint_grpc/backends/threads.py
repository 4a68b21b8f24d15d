"""How many threads a model may compute with: its slot's share of the processor cores."""

from __future__ import annotations

import os

VARIABLE = "OMP_NUM_THREADS"
"""Where the model's process keeps the number; OpenMP reads it, too, when it is loaded."""


def threads() -> int:
    """Return the number of threads that this process may compute with, at least one."""
    text = os.environ.get(VARIABLE, "")
    return max(1, int(text)) if text.isdigit() else 1
