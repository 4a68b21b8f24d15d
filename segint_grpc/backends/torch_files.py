"""Reads what torch.save and safetensors write: a whole module, or weights by name. Imports torch.

Weights are read without running anything of the file's (`weights_only=True`); only where that is not
enough, because a whole module was pickled, is the pickle's code run.
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import safetensors.torch
import torch

from segint_grpc import errors
from segint_grpc.backends.pickled_code import carries_code

_DATA_PARALLEL_PREFIX = "module."
_NESTED = ("state_dict", "model_state_dict", "model", "net")


def read(path: Path, module: ModuleType | None) -> Any:
    """Return the weights in `path` as a mapping name → tensor, or the whole model that was pickled there.

    The pickle's own classes are looked up in `module`, whatever its file was called when they were pickled.

    Raises:
        InvalidModel: the file is nothing that can be read, or its classes are nowhere.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        loaded = _load(path, module)
    except (errors.InvalidModel, MemoryError):
        raise
    except Exception as error:
        # Broken files make torch raise anything, IndexError included. Memory is found along the chain.
        raise _unreadable(path, error) from error
    return _weights(loaded) if isinstance(loaded, Mapping) else loaded


def plain_names(weights: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Return `weights` without the prefix that torch.nn.DataParallel puts before every name."""
    if not weights or not all(name.startswith(_DATA_PARALLEL_PREFIX) for name in weights):
        return weights
    return {name.removeprefix(_DATA_PARALLEL_PREFIX): tensor for name, tensor in weights.items()}


def _load(path: Path, module: ModuleType | None) -> Any:
    archive = zipfile.is_zipfile(path)
    if archive and _is_torchscript(path):
        raise errors.InvalidModel(
            f"{path.name} is TorchScript; name the back end torchscript, or save the model's state dict "
            "instead."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError:
        if not carries_code(path):
            # Nobody was asked to approve this file, so nothing of it may run.
            raise
        return torch.load(
            path, map_location="cpu", weights_only=False, mmap=archive, pickle_module=_pickle_with(module)
        )


def _is_torchscript(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _weights(loaded: Mapping[str, Any]) -> Mapping[str, torch.Tensor]:
    """Return the state dict that is `loaded`, or lies in it as training loops like to save it."""
    nested = (loaded.get(name) for name in _NESTED)
    candidates = (loaded, *(inner for inner in nested if isinstance(inner, Mapping)))
    for weights in candidates:
        if weights and all(isinstance(value, torch.Tensor) for value in weights.values()):
            return weights
    found = ", ".join(str(name) for name in list(loaded)[:5]) or "nothing"
    raise errors.InvalidModel(f"The model file holds a mapping with {found}, but no weights.")


def _pickle_with(module: ModuleType | None) -> ModuleType:
    """Return a stand-in for the module `pickle` that finds the user's classes in `module`."""

    class Unpickler(pickle.Unpickler):
        """Finds the classes of the user's file wherever it was when they were pickled."""

        def find_class(self, module_name: str, name: str) -> Any:
            if module is not None and _is_users(module_name, module) and _has(module, name):
                return _attribute(module, name)
            try:
                return super().find_class(module_name, name)
            except (ImportError, AttributeError) as error:
                raise errors.InvalidModel(
                    f"The model file was pickled with {name} of the module {module_name}, "
                    "which is neither in the module file nor installed here."
                ) from error

    stand_in = ModuleType("pickle_with_module")
    vars(stand_in).update(vars(pickle), __name__="pickle_with_module", Unpickler=Unpickler)
    vars(stand_in)["load"] = lambda file, **options: Unpickler(file, **options).load()
    return stand_in


def _is_users(module_name: str, module: ModuleType) -> bool:
    """Return whether the pickled `module_name` may mean the user's file: named so, or no other module."""
    own = Path(module.__file__ or "").stem
    if module_name == "__main__" or module_name.split(".")[-1] == own:
        return not module_name.startswith("torch.")
    try:
        return importlib.util.find_spec(module_name) is None
    except (ImportError, ValueError, AttributeError):
        return True


def _has(module: ModuleType, name: str) -> bool:
    try:
        _attribute(module, name)
    except AttributeError:
        return False
    return True


def _attribute(module: ModuleType, name: str) -> Any:
    """Return what the dotted `name` (a class may be nested) stands for in `module`."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _unreadable(path: Path, error: Exception) -> errors.InvalidModel:
    reason = " ".join([f"{type(error).__name__}:", *str(error).strip().splitlines()[:1]])
    return errors.InvalidModel(f"{path.name} cannot be read as a PyTorch model file ({reason:.200}).")
