"""Random numbers that are the same in every job, so that a model that draws some gives its masks again."""

from __future__ import annotations

import random
import sys

import numpy as np

SEED = 20_260_101


def sow() -> None:
    """Seed Python, NumPy and, where it is loaded, torch with `SEED`; a GPU's generators follow torch's."""
    random.seed(SEED)
    np.random.seed(SEED)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(SEED)
