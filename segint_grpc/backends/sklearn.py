"""scikit-learn classifiers that skops wrote, judging voxel by voxel.

A skops file names types and is loaded without running any that is not on a list; pickles and joblib files
are refused, since loading one runs what it holds.
"""

from __future__ import annotations

from pathlib import Path

from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.model_file import archive_names, not_one
from segint_grpc.backends.voxel_back_end import VoxelBackEnd


class Sklearn(VoxelBackEnd):
    """Runs a classifier."""

    summary = "A scikit-learn classifier of voxels (skops)."
    name = "sklearn"
    extra = "sklearn"
    libraries = ("sklearn", "skops", "scipy")

    def refuse_others(self, path: Path) -> None:
        """Raise InvalidModel unless skops wrote it, by the names in it."""
        if "schema.json" not in archive_names(path):
            raise not_one(path, "skops file", "write one with skops.io.dump, never with pickle or joblib")

    def carries_code(self, path: Path) -> bool:
        """Return False: types that are not on the list of skops_model.py are refused, not run."""
        return False

    def load(self, source: ModelSource) -> None:
        """Load the classifier."""
        self._model = self.imported("skops_model").SkopsModel(source)
