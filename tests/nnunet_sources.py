"""An nnU-Net of two folds for many tests, and what a back end is told of it."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segint_grpc import backends
from segint_grpc.backends.base import BackEnd, ModelSource, StructureSpec
from segint_grpc.zips.folder import write_folder_zip
from tests.nnunet_models import trained
from tests.real_models import STRUCTURES

FULLRES, CASCADE = "nnUNetTrainer__nnUNetPlans__3d_fullres", "nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"
LPS = {"orientation": "LPS"}


@functools.cache
def two_folds() -> Path:
    """The results folder of a model with two folds, which mirrors along two axes; not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="segint-nnunet-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return trained(folder, folds=(0, 1), mirrored=(0, 1))


def copied(folder: Path) -> Path:
    """A copy of that, in `folder`, to be changed."""
    return Path(shutil.copytree(two_folds(), folder / "results" / FULLRES))


def source(
    folder: Path,
    parameters: Mapping[str, Any] = LPS,
    structures: Sequence[StructureSpec] = STRUCTURES,
    channels: Sequence[str] = ("1",),
) -> ModelSource:
    """What a back end loads where `folder` is the model's folder, or a zip."""
    path = folder
    if folder.is_dir():
        path = folder.with_name(f"{folder.name}.zip")
        write_folder_zip(folder, path)
    return ModelSource("Two 1.0", tuple(structures), tuple(channels), path, parameters=parameters)


def opened(made: ModelSource) -> BackEnd:
    backend = backends.load_backend("nnunet")
    backend.check(made)
    backend.load(made)
    return backend


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
