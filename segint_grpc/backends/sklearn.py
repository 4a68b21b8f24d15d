"""scikit-learn classifiers that skops wrote, judging voxel by voxel.

A skops file names types and is loaded without running any that is not on a list; pickles and joblib files
are refused, since loading one runs what it holds.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segint_grpc.backends import missing_library, require
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.model_file import archive_names, not_one, only_file
from segint_grpc.backends.voxel_features import FEATURES, LABELS, declared
from segint_grpc.backends.voxel_labels import wanted_labels

if TYPE_CHECKING:
    from segint_grpc.backends.skops_model import SkopsModel


class Sklearn:
    """Runs a classifier. Parameters: `features` (voxel_features.py), `labels` (voxel_labels.py)."""

    summary = "A scikit-learn classifier of voxels (skops)."
    extra = "sklearn"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: SkopsModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if a library or the file is missing, or the file or a parameter is wrong."""
        require("sklearn", self.extra, "sklearn", "skops", "scipy")
        path = only_file(source, "sklearn", (FEATURES, LABELS))
        if "schema.json" not in archive_names(path):
            raise not_one(path, "skops file", "write one with skops.io.dump, never with pickle or joblib")
        declared(source.parameters, source.channel_ids)
        wanted_labels(source)

    def carries_code(self, path: Path) -> bool:
        """Return False: types that are not on the list of skops_model.py are refused, not run."""
        return False

    def load(self, source: ModelSource) -> None:
        """Load the classifier."""
        try:
            # Not earlier: the core asks `check`, and need not hold the library.
            skops_model = importlib.import_module("segint_grpc.backends.skops_model")
        except ImportError as error:
            raise missing_library("sklearn", self.extra, str(error)) from error
        self._model = skops_model.SkopsModel(source)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels, progress)
