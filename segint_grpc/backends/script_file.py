"""Reads TorchScript files. Imports torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from segint_grpc import errors
from segint_grpc.backends.tensor_model import Network

# It has no types.
_jit: Any = torch.jit


def read(path: Path, device: torch.device) -> Network:
    """Return the network in `path`, on `device`; raises InvalidModel where it cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*torch\.jit.* is deprecated", DeprecationWarning)
            script = _jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise errors.InvalidModel(
            f"{path.name} cannot be read as TorchScript ({' '.join(str(error).split()):.200})."
        ) from error
    # Not with map_location: a full GPU has to look like one.
    script = script.to(device).eval()
    names = [argument.name for argument in script.forward.schema.arguments[1:]]

    def call(*values: torch.Tensor) -> Any:
        # The optimizer rewrites a script after its first runs, and its results with it, if only a little.
        with _jit.optimized_execution(False):
            return script(*values)

    return Network(call, names)
