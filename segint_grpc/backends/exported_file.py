"""Reads the `.pt2` files of torch.export. Imports torch."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.export.passes

from segint_grpc import errors
from segint_grpc.backends.devices import CPU
from segint_grpc.backends.tensor_model import Network


def read(path: Path, device: torch.device) -> Network:
    """Return the network in `path`, on `device`; raises InvalidModel where it cannot be read."""
    try:
        program = torch.export.load(path)
    except MemoryError:
        raise
    except Exception as error:
        # A broken archive makes torch raise anything, KeyError included.
        raise errors.InvalidModel(
            f"{path.name} cannot be read as an exported program ({' '.join(str(error).split()):.200})."
        ) from error
    if device.type != CPU:
        # The graph names devices itself, so that moving its weights would not be enough.
        program = torch.export.passes.move_to_device_pass(program, device)
    by_name = program.call_spec.in_spec.children()[1].context if program.call_spec.in_spec else []
    return Network(program.module(), list(program.graph_signature.user_inputs), by_name or [])
