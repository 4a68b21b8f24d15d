"""Reads the `.pt2` files of torch.export. Imports torch."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.export.passes

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.devices import CPU
from segint_grpc.backends.tensor_model import Network, TensorModel


def load(source: ModelSource) -> TensorModel:
    """Return the network of `source`; raises InvalidModel where its file cannot be read."""
    path = source.model_file
    assert path is not None, "check comes before load"
    return TensorModel(source, lambda device: _read(path, device))


def _read(path: Path, device: torch.device) -> Network:
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
