"""Reads a MONAI bundle's inference config for one device, without what belongs to files. Imports MONAI.

The server hands volumes in and takes masks back, so steps that load, save or look for the axis of channels
do nothing.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from segint_grpc import errors
from segint_grpc.backends.bundle_files import BundleFiles

_TARGET = "_target_"
_NOTHING = {_TARGET: "monai.transforms.Identity"}
_BYPASSED = re.compile(r"((Load|Save)Image|EnsureChannelFirst|AddChannel|AsChannelFirst)(d|D|Dict)?")
_LOADS = re.compile(r"LoadImage(d|D|Dict)")
_KEYS = "_segint_keys_"
"""Where the keys of the config's step LoadImaged are kept: they may be references."""
_GPU_IN_CODE = re.compile(r"""(['"])cuda(:\d+)?\1""")
_GPU = re.compile(r"cuda(:\d+)?")


class BundleConfig:
    """The config as MONAI parses it; what nobody asks for, such as its data sets, is never made."""

    def __init__(
        self, folder: Path, files: BundleFiles, overrides: Mapping[str, Any], device: torch.device
    ) -> None:
        """Read the config in `folder`, in which every GPU that it names is `device`."""
        make_importable(folder)
        self.name = files.config
        self.folder = folder
        try:
            content = ConfigParser.load_config_file(str(folder / files.config))
            self._parser = ConfigParser(content)
            self._parser.read_meta(dict(files.metadata))
            self._parser.update({name.replace("#", "::"): value for name, value in overrides.items()})
            content = self._parser.get()
        except Exception as error:
            # A broken config, or an id that is none, makes MONAI raise anything.
            raise self.fault("cannot be read", error) from error
        _check_evaluator(content)
        keys = next((step.get("keys") for step in _steps(content) if _LOADS.fullmatch(_kind(step))), None)
        content = _on(_without_files(content), str(device))
        content.update({"bundle_root": str(folder), "device": f"$torch.device('{device}')", _KEYS: keys})
        self._parser.set(content)

    def fault(self, what: str, error: Exception) -> errors.InvalidModel:
        """Return the error that says `what` is wrong with the config, and why."""
        causes = [error]
        while (cause := causes[-1].__cause__) is not None and isinstance(cause, Exception):
            causes.append(cause)
        why = "; ".join(dict.fromkeys(" ".join(str(one).split())[:200] for one in causes))
        return errors.InvalidModel(
            f"{self.name} of the bundle {what} ({type(causes[-1]).__name__}: {why:.400})."
        )

    def first(self, *ids: str, default: Any = None) -> Any:
        """Return what the first of `ids` that the config has stands for, else `default`."""
        known = next((name for name in ids if name in self._parser), None)
        if known is None:
            return default
        try:
            with warnings.catch_warnings():
                # MONAI tells the bundle's author of what will change in its later releases.
                warnings.simplefilter("ignore", FutureWarning)
                return self._parser.get_parsed_content(known)
        except Exception as error:
            # It is code, and may raise anything.
            raise self.fault(f"gives no {known}", error) from error

    def keys(self) -> list[str]:
        """Return the keys under which its step LoadImaged would put the images."""
        keys = self.first(_KEYS)
        return [keys] if isinstance(keys, str) else [str(key) for key in keys or ("image",)]

    def checkpoint(self) -> tuple[str, Sequence[str], bool] | None:
        """Return path, names of what is restored and strictness of its CheckpointLoader, None without one."""
        content = self._parser.get()
        found = next((name for name, step in _named(content, "") if _kind(step) == "CheckpointLoader"), None)
        if found is None:
            return None
        step = self._parser[found]
        restored = step.get("load_dict")
        path = self.first(f"{found}::load_path", default="")
        strict = step.get("strict", True) is not False and step.get("strict_shape", True) is not False
        return str(path), list(restored) if isinstance(restored, Mapping) else ["model"], strict


_importable: list[str] = []
"""The bundle whose `scripts` can be imported in this process, if any."""


def make_importable(folder: Path) -> None:
    """Let the modules of `folder`, such as `scripts`, be found, and forget others that are called alike."""
    while _importable:
        old = _importable.pop()
        sys.path[:] = [place for place in sys.path if place != old]
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(f"{old}/"):
                del sys.modules[name]
    own = _modules_in(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]
    _importable.append(str(folder))
    sys.path.insert(0, str(folder))


def _modules_in(folder: Path) -> set[str]:
    """Return what can be imported from `folder` by a name of its own."""
    packages = {path.parent.name for path in folder.glob("*/*.py")}
    return packages | {path.stem for path in folder.glob("*.py")}


def _check_evaluator(content: Mapping[str, Any]) -> None:
    evaluator = content.get("evaluator")
    kind = _kind(evaluator) if isinstance(evaluator, Mapping) else ""
    if kind and kind != "SupervisedEvaluator":
        raise errors.InvalidModel(
            f"The bundle's evaluator is {kind:.80}; only what MONAI's SupervisedEvaluator does is run here."
        )


def _kind(step: Mapping[str, Any]) -> str:
    return str(step.get(_TARGET, "")).rpartition(".")[2]


def _named(content: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield id and content of every table in the config."""
    if isinstance(content, Mapping):
        yield name, content
    pairs = content.items() if isinstance(content, Mapping) else enumerate(content)
    for key, inner in pairs:
        if isinstance(inner, Mapping | list):
            yield from _named(inner, f"{name}::{key}" if name else str(key))


def _steps(content: Any) -> Iterator[Mapping[str, Any]]:
    yield from (step for _, step in _named(content, ""))


def _without_files(content: Any) -> Any:
    if isinstance(content, Mapping):
        if _BYPASSED.fullmatch(_kind(content)):
            return dict(_NOTHING)
        return {key: _without_files(inner) for key, inner in content.items()}
    return [_without_files(inner) for inner in content] if isinstance(content, list) else content


def _on(content: Any, device: str) -> Any:
    """Return `content` with `device` wherever it names a GPU, be it a value or within an expression."""
    if isinstance(content, Mapping):
        return {key: _on(inner, device) for key, inner in content.items()}
    if isinstance(content, list):
        return [_on(inner, device) for inner in content]
    if not isinstance(content, str):
        return content
    if content.startswith("$"):
        return _GPU_IN_CODE.sub(f"'{device}'", content)
    return device if _GPU.fullmatch(content) else content
