"""What it took to load a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """One load: how long it took, and what the model's process held when it was done, libraries included.

    `device` is where the model then was ("cpu", "cuda:0"), empty where its back end does not say. The time is
    there once the store has it.
    """

    seconds: float
    memory_bytes: int
    gpu_memory_bytes: int = 0
    device: str = ""
    loaded_at: datetime | None = None
