"""MONAI bundles: a network with its own way from a scan to masks, as JSON or YAML that MONAI evaluates.

A bundle is a folder, kept as a zip, or the TorchScript file that `monai.bundle ckpt_export` makes of one. Its
config holds expressions, so every bundle counts as code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segint_grpc.backends import require
from segint_grpc.backends.base import Channel, Masks, ModelSource, Tiles
from segint_grpc.backends.bundle_files import bundle_files
from segint_grpc.backends.bundle_labels import wanted_outputs
from segint_grpc.backends.bundle_overrides import OVERRIDES, wanted_overrides
from segint_grpc.backends.devices import DEVICE, wanted_device
from segint_grpc.backends.layout import INPUTS, wanted_names
from segint_grpc.backends.library_back_end import LibraryBackEnd
from segint_grpc.backends.model_file import only_file
from segint_grpc.backends.model_folder import code_where
from segint_grpc.backends.voxel_features import LABELS

if TYPE_CHECKING:
    from segint_grpc.backends.bundle_model import BundleModel


class Monai(LibraryBackEnd):
    """Runs a bundle's inference config: its transforms before and after, its inferer, its network.

    Parameters: `labels` (bundle_labels.py), `inputs` (the config's keys in the channels' order), `overrides`
    (bundle_overrides.py) and `device` (devices.py).
    """

    summary = "A MONAI bundle: a folder with configs/metadata.json and configs/inference.json."
    name = "monai"
    extra = "monai"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: BundleModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if a library, a config or a structure is missing, or a parameter is wrong."""
        require("monai", self.extra, "monai", "torch", "nibabel")
        path = only_file(source, "monai", (LABELS, INPUTS, OVERRIDES, DEVICE))
        files = bundle_files(path)
        if not files.config.endswith(".json"):
            require("monai", self.extra, "yaml")
        wanted_outputs(source, files.metadata)
        wanted_names(source.parameters, INPUTS)
        wanted_overrides(source.parameters)
        wanted_device(source.parameters)

    def carries_code(self, path: Path) -> bool:
        """Return whether it is a bundle, whose config's expressions are run; nothing else is loaded."""
        return code_where(lambda: bool(bundle_files(path)))

    def load(self, source: ModelSource) -> None:
        """Unpack the bundle, make its network and transforms, and read its weights."""
        self._model = self.imported("bundle_model").BundleModel(source)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji, on the grid that the scan has."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels, progress)

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        """Return what the bare network makes of `tiles`, without the bundle's transforms and inferer."""
        assert self._model is not None, "load comes before infer"
        return self._model.infer(tiles)
