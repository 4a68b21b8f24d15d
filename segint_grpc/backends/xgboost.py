"""XGBoost classifiers, judging voxel by voxel. Their files, JSON or UBJSON, hold trees and no code."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segint_grpc.backends import missing_library, require
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.model_file import not_one, only_file
from segint_grpc.backends.voxel_features import FEATURES, LABELS, declared
from segint_grpc.backends.voxel_labels import wanted_labels

if TYPE_CHECKING:
    from segint_grpc.backends.booster_model import BoosterModel

SUFFIXES = (".ubj", ".json")


class XGBoost:
    """Runs a booster. Parameters: `features` (voxel_features.py), `labels` (voxel_labels.py)."""

    summary = "An XGBoost classifier of voxels (.ubj or .json)."
    extra = "xgboost"

    def __init__(self) -> None:
        """Be without a model."""
        self._model: BoosterModel | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if a library or the file is missing, or the file or a parameter is wrong."""
        require("xgboost", self.extra, "xgboost", "scipy")
        path = only_file(source, "xgboost", (FEATURES, LABELS))
        with path.open("rb") as file:
            begins_well = file.read(1) == b"{"
        if path.suffix not in SUFFIXES or not begins_well:
            raise not_one(
                path, "XGBoost model", "write one with save_model, its name ending in .ubj or .json"
            )
        declared(source.parameters, source.channel_ids)
        wanted_labels(source)

    def carries_code(self, path: Path) -> bool:
        """Return False: a booster is numbers."""
        return False

    def load(self, source: ModelSource) -> None:
        """Load the booster."""
        try:
            # Not earlier: the core asks `check`, and need not hold the library.
            booster_model = importlib.import_module("segint_grpc.backends.booster_model")
        except ImportError as error:
            raise missing_library("xgboost", self.extra, str(error)) from error
        self._model = booster_model.BoosterModel(source)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels, progress)
