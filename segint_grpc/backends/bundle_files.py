"""What a MONAI bundle holds, looked up in its zip without unpacking or running anything of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.backends.model_folder import member_names, read_member

JSON_BYTES_MAX = 16 * 1024**2

_ENDINGS = ("json", "yaml", "yml")
_FOLDERS = {"configs": "a MONAI bundle", "extra": "a TorchScript file of monai.bundle ckpt_export"}
"""Where a bundle has its configs, and where TorchScript keeps extra files."""


@dataclass(frozen=True)
class BundleFiles:
    """Names of a bundle's configs, what metadata.json says, and whether they are inside of TorchScript."""

    config: str
    metadata_name: str
    metadata: Mapping[str, Any]
    is_script: bool


def bundle_files(path: Path) -> BundleFiles:
    """Return what the bundle `path`, a zip, holds.

    Raises:
        InvalidModel: it is none; the message names what is missing and what was looked for.
    """
    names = member_names(path)
    folder = next((folder for folder in _FOLDERS if f"{folder}/metadata.json" in names), None)
    if folder is None:
        raise errors.InvalidModel(
            f"{path.name} is no MONAI bundle: it has no configs/metadata.json. Expected was the bundle's "
            "folder, or a zip of it, with configs/metadata.json, configs/inference.json (or .yaml) and "
            "models/model.pt."
        )
    wanted = [f"{folder}/inference.{ending}" for ending in _ENDINGS]
    config = next((name for name in wanted if name in names), None)
    if config is None:
        raise errors.InvalidModel(
            f"{path.name}, {_FOLDERS[folder]}, has no config of inference; looked for were "
            f"{', '.join(wanted)}."
        )
    metadata = f"{folder}/metadata.json"
    return BundleFiles(config, metadata, _read(path, metadata), folder == "extra")


def _read(path: Path, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(read_member(path, name, JSON_BYTES_MAX))
    except (ValueError, RecursionError) as error:
        raise errors.InvalidModel(f"{name} in {path.name} is no JSON ({error}).") from None
    if not isinstance(found, dict):
        raise errors.InvalidModel(f"{name} in {path.name} holds no JSON object.")
    return found
