"""Loads a skops file and has its classifier judge voxels. Imports scikit-learn and skops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import skops.io

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.threads import threads
from segint_grpc.backends.voxel_features import declared
from segint_grpc.backends.voxel_labels import check_classes, check_feature_count, masks_of, wanted_labels
from segint_grpc.backends.voxel_slabs import label_volume

TRUSTED = frozenset(
    {
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)
"""What forests and boosting are made of beside what skops trusts itself: numbers, and nothing that runs."""


class SkopsModel:
    """A loaded classifier, its features and its classes."""

    def __init__(self, source: ModelSource) -> None:
        """Load the classifier of `source`; raises InvalidModel where it cannot be, or does not fit."""
        assert source.model_file is not None, "check comes before load"
        self._features = declared(source.parameters, source.channel_ids)
        self._labels = wanted_labels(source)
        self._model = _read(source.model_file)
        if not hasattr(self._model, "classes_") or not hasattr(self._model, "predict"):
            kind = type(self._model).__name__
            raise errors.InvalidModel(
                f"The model is a {kind}; it must be a fitted classifier of scikit-learn."
            )
        check_feature_count(len(self._features), int(self._model.n_features_in_))
        check_classes(self._labels, _whole_numbers(self._model.classes_))
        jobs = [name for name in self._model.get_params() if name.rpartition("__")[2] == "n_jobs"]
        self._model.set_params(**dict.fromkeys(jobs, threads()))

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji; `progress` follows the slabs."""
        return masks_of(label_volume(channels, self._features, self._model.predict, progress), self._labels)


def _read(path: Path) -> Any:
    try:
        strangers = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED)
        if strangers:
            raise errors.InvalidModel(
                f"{path.name} holds {', '.join(strangers)[:200]}, which may run code; a classifier of "
                "scikit-learn's own (forest, boosting, pipeline) needs none of it."
            )
        return skops.io.load(path, trusted=sorted(TRUSTED))
    except (errors.InvalidModel, MemoryError):
        raise
    except Exception as error:
        # A broken file makes skops raise anything.
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise errors.InvalidModel(f"{path.name} cannot be read by skops ({why:.200}).") from error


def _whole_numbers(classes: Any) -> list[int]:
    try:
        numbers = [int(label) for label in classes]
    except (TypeError, ValueError):
        numbers = []
    if numbers != list(classes):
        found = ", ".join(map(str, list(classes)[:10]))
        raise errors.InvalidModel(f"The model's classes are {found}; they must be whole numbers.")
    return numbers
