"""nnU-Net v2 models: a folder of its training's results, or a zip of its own export. nnunetv2 runs them.

It crops, resamples, normalises, cuts tiles and lays the segmentation back on the scan's grid. SegInt gives
it the voxels as the reader that the model's plans name would have read them from a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segint_grpc.backends import require
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.library_back_end import LibraryBackEnd
from segint_grpc.backends.model_file import only_file
from segint_grpc.backends.model_folder import code_where
from segint_grpc.backends.nnunet_environment import prepared_environment
from segint_grpc.backends.nnunet_folder import NnunetModel, holds_checkpoint, read_model
from segint_grpc.backends.nnunet_labels import channel_order, wanted_labels
from segint_grpc.backends.nnunet_options import PARAMETERS, wanted_options
from segint_grpc.backends.nnunet_scan import wanted_orientation

if TYPE_CHECKING:
    from segint_grpc.backends.nnunet_model import LoadedNnunet


class Nnunet(LibraryBackEnd):
    """Runs one configuration, the mean of its folds. Parameters: those of nnunet_options.py.

    `labels` says which label is which structure (nnunet_labels.py), `orientation` how the training files were
    stored (nnunet_scan.py).
    """

    summary = "An nnU-Net v2 model: its results folder, or a zip of its own export."
    name = "nnunet"
    extra = "nnunet"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: LoadedNnunet | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if the library or a file is missing, or the model cannot draw the structures."""
        require("nnunet", self.extra, "nnunetv2", "torch")
        only_file(source, "nnunet", PARAMETERS)
        described(source)

    def carries_code(self, path: Path) -> bool:
        """Return whether it holds a checkpoint, which is a pickle; nothing without one is loaded."""
        return code_where(lambda: holds_checkpoint(path))

    def load(self, source: ModelSource) -> None:
        """Load the model's folds and build its network on the device that it is to run on."""
        model = described(source)
        with prepared_environment():
            self._model = self.imported("nnunet_model").LoadedNnunet(source, model)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji; `progress` follows the tiles."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels, progress)


def described(source: ModelSource) -> NnunetModel:
    """Return what the model file of `source` says; raises InvalidModel where it does not fit the version."""
    assert source.model_file is not None  # `only_file` has said so.
    options = wanted_options(source.parameters)
    model = read_model(source.model_file, options)
    wanted_orientation(model, options)
    channel_order(source.channel_ids, model.channel_names)
    wanted_labels(source, model.labels)
    return model
