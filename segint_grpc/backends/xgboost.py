"""XGBoost classifiers, judging voxel by voxel. Their files, JSON or UBJSON, hold trees and no code."""

from __future__ import annotations

from pathlib import Path

from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.model_file import not_one
from segint_grpc.backends.voxel_back_end import VoxelBackEnd

SUFFIXES = (".ubj", ".json")


class XGBoost(VoxelBackEnd):
    """Runs a booster."""

    summary = "An XGBoost classifier of voxels (.ubj or .json)."
    name = "xgboost"
    extra = "xgboost"
    libraries = ("xgboost", "scipy")

    def refuse_others(self, path: Path) -> None:
        """Raise InvalidModel unless it is called as a booster and begins as one."""
        with path.open("rb") as file:
            begins_well = file.read(1) == b"{"
        if path.suffix not in SUFFIXES or not begins_well:
            raise not_one(
                path, "XGBoost model", "write one with save_model, its name ending in .ubj or .json"
            )

    def carries_code(self, path: Path) -> bool:
        """Return False: a booster is numbers."""
        return False

    def load(self, source: ModelSource) -> None:
        """Load the booster."""
        self._model = self.imported("booster_model").BoosterModel(source)
