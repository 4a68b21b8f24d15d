"""Random numbers that are the same in every job, so that a model that draws some gives its masks again."""

from __future__ import annotations

import random
import sys

import numpy as np

SEED = 20_260_101


def sow() -> None:
    """Seed Python, NumPy and, where loaded, torch and TensorFlow; a GPU's generators follow theirs."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(SEED)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.random.set_seed(SEED)
