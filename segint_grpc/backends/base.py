"""What a back end is: four verbs around one loaded model, and a question about its file.

A back end is registered as an entry point in the group `segint.backends` (`name = module:Class`). A slot's
process makes one instance, calls `load` once, then `predict` for each job; the process's end unloads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.remotes import HERE_ALONE, RemoteRules

Masks = NDArray[Any] | Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]]
"""A mask_kji, a stack (structures, slice, row, column) in the version's order, or StructureID → mask_kji."""


@dataclass(frozen=True)
class StructureSpec:
    """A structure that the version promises, and the channel on whose grid its mask lies."""

    structure_id: str
    name: str
    input_channel_id: str


@dataclass(frozen=True)
class ModelSource:
    """What a back end loads: the version's structures and channels, its files and its parameters.

    `cache` is where the model file, if it is a folder's zip, is unpacked (model_folder.py), and nothing else.
    `remotes` says which servers elsewhere it may send scans to; the settings say so, not the model.
    `gpu_memory_bytes` is what the version needs of a GPU and may take of it at most; 0 where it does not say.
    """

    version_id: str
    structures: tuple[StructureSpec, ...]
    channel_ids: tuple[str, ...]
    model_file: Path | None = None
    module_file: Path | None = None
    entry: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cache: Path | None = None
    remotes: RemoteRules = HERE_ALONE
    gpu_memory_bytes: int = 0


@dataclass(frozen=True)
class Channel:
    """One input volume: image_kji (int16 or uint8, calibrated values, read-only) and where it lies.

    A version whose manifest shapes its input gets the voxels so prepared, of the dtype that it declares.
    """

    channel_id: str
    image_kji: NDArray[Any]
    geometry: Geometry


class BackEnd(Protocol):
    """Runs one model. `summary` is one sentence; `extra` the pip extra that its libraries come with."""

    summary: str
    extra: str

    def check(self, source: ModelSource) -> None:
        """Look at names and files without running anything of the model's.

        Raises:
            InvalidModel: a file is missing or of no use to this back end.
        """

    def carries_code(self, path: Path) -> bool:
        """Return whether loading the model file `path` runs code that it carries; runs none of it.

        A module file (.py) is code without being asked about. What this denies must never be run.
        """

    def load(self, source: ModelSource) -> None:
        """Load the model; called once, in the process that will run it.

        Raises:
            InvalidModel: the files cannot be loaded.
        """

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return the masks for `channels`, which come in the family's order.

        `progress` takes the finished share of the work, 0 to 1, as often as the model likes.
        """


@dataclass(frozen=True)
class Tiles:
    """Pieces of a prepared scan: float32 of shape (tile, channel, slice, row, column), 2D (…, row, column).

    The spatial axes may be in reverse order, as the manifest's `axes` says. `coarse`: of the pass that finds
    the region alone. `mixed_precision`: half the bits will do where that is safe.
    """

    values: NDArray[np.float32]
    coarse: bool = False
    mixed_precision: bool = False


@runtime_checkable
class TileBackEnd(Protocol):
    """A back end that can run its model on pieces of a scan: what a manifest's [versions.inference] needs."""

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return (tile, class, …) for `tiles`, with their spatial shape."""
