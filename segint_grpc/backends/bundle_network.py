"""Makes the network of a MONAI bundle and reads its weights. Imports torch."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from segint_grpc import errors
from segint_grpc.backends import torch_files
from segint_grpc.backends.bundle_config import BundleConfig

WEIGHTS = "models/model.pt"
SCRIPT = "models/model.ts"
_NETWORK = ("network", "network_def")
_NAMES_SHOWN = 3

# It has no types.
_jit: Any = torch.jit


def network_of(config: BundleConfig, script: Path | None, device: torch.device) -> Any:
    """Return the bundle's network with its weights, in evaluation mode on `device`.

    It is the TorchScript file `script` where there is one, else what the config makes, else models/model.ts.

    Raises:
        InvalidModel: there are no weights, or they don't fit the network.
    """
    weights = _weights(config)
    if script is None and weights is None and (config.folder / SCRIPT).is_file():
        script = config.folder / SCRIPT
    if script is not None:
        return _read_script(script).to(device).eval()
    network = config.first(*_NETWORK)
    if not isinstance(network, torch.nn.Module):
        raise errors.InvalidModel(
            f"{config.name} of the bundle gives no network: {' and '.join(_NETWORK)} were looked for."
        )
    if not isinstance(network, torch.jit.ScriptModule):
        network = _filled(network, weights, config)
    return network.to(device).eval()


def _weights(config: BundleConfig) -> Path | None:
    """Return the file of weights, None where the config names none and there is none at the usual place."""
    named = config.checkpoint()
    path = config.folder / (named[0] if named else WEIGHTS)
    return path if named or path.is_file() else None


def _filled(network: torch.nn.Module, path: Path | None, config: BundleConfig) -> torch.nn.Module:
    if path is None:
        raise errors.InvalidModel(
            f"The bundle has no weights: {config.name} has no CheckpointLoader, and there is neither "
            f"{WEIGHTS} nor {SCRIPT}."
        )
    if not path.is_file():
        shown = path.relative_to(config.folder) if path.is_relative_to(config.folder) else path
        raise errors.InvalidModel(
            f"The bundle has no {shown}, the weights that {config.name} names in its CheckpointLoader."
        )
    _, restored, strict = config.checkpoint() or ("", ["model"], True)
    loaded = _read(path)
    if isinstance(loaded, torch.nn.Module):
        return loaded
    weights = next((loaded[name] for name in restored if name in loaded), loaded)
    _fill(network, torch_files.plain_names(weights), strict)
    return network


def _fill(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], strict: bool) -> None:
    try:
        found = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise errors.InvalidModel(
            f"The bundle's weights don't fit its network: {' '.join(str(error).split()):.400}"
        ) from error
    odd = [*found.missing_keys, *found.unexpected_keys]
    if strict and odd:
        raise errors.InvalidModel(
            f"The bundle's weights don't fit its network: {len(found.missing_keys)} are missing and "
            f"{len(found.unexpected_keys)} unknown, such as {', '.join(odd[:_NAMES_SHOWN])}."
        )


def _read(path: Path) -> Any:
    """Return what the file of weights holds."""
    try:
        return torch_files.read(path, None) if path.suffix == ".safetensors" else _loaded(path)
    except (MemoryError, errors.SegIntError):
        raise
    except Exception as error:
        # A broken archive makes torch raise anything, KeyError included.
        raise errors.InvalidModel(
            f"{path.name} of the bundle cannot be read as weights ({' '.join(str(error).split()):.200})."
        ) from error


def _loaded(path: Path) -> Any:
    """Return what torch reads; as code only where it is no mere weights: the whole bundle is approved."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return torch.load(path, map_location="cpu", weights_only=False)


def _read_script(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*torch\.jit.* is deprecated", DeprecationWarning)
            return _jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise errors.InvalidModel(
            f"{path.name} cannot be read as TorchScript ({' '.join(str(error).split()):.200})."
        ) from error
