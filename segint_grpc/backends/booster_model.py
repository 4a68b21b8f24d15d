"""Loads a booster and has it judge voxels. Imports xgboost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.threads import threads
from segint_grpc.backends.voxel_features import declared
from segint_grpc.backends.voxel_labels import check_classes, check_feature_count, masks_of, wanted_labels
from segint_grpc.backends.voxel_slabs import label_volume

_THRESHOLDS = {"binary:logistic": 0.5, "binary:hinge": 0.5, "binary:logitraw": 0.0}
"""Above it a voxel is of class 1; hinge says 0 or 1 itself."""
_SEVERAL = ("multi:softprob", "multi:softmax")


class BoosterModel:
    """A loaded booster, its features and its classes."""

    def __init__(self, source: ModelSource) -> None:
        """Load the booster of `source`; raises InvalidModel where it cannot be, or does not fit."""
        assert source.model_file is not None, "check comes before load"
        self._features = declared(source.parameters, source.channel_ids)
        self._labels = wanted_labels(source)
        self._booster = _read(source.model_file)
        learner = json.loads(self._booster.save_config())["learner"]
        self._objective = str(learner["objective"]["name"])
        if self._objective not in (*_THRESHOLDS, *_SEVERAL):
            known = ", ".join((*_THRESHOLDS, *_SEVERAL))
            raise errors.InvalidModel(
                f"The booster's objective is {self._objective}; it must be one of {known}."
            )
        check_feature_count(len(self._features), self._booster.num_features())
        classes = int(learner["learner_model_param"]["num_class"]) if self._objective in _SEVERAL else 2
        check_classes(self._labels, range(classes))
        # As xgboost.XGBClassifier does: no trees after the best round, where training has stopped early.
        best = self._booster.attr("best_iteration")
        self._rounds = (0, int(best) + 1) if best else (0, 0)

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji; `progress` follows the slabs."""
        return masks_of(label_volume(channels, self._features, self._judge, progress), self._labels)

    def _judge(self, table: NDArray[np.float32]) -> NDArray[Any]:
        made: NDArray[Any] = self._booster.inplace_predict(table, iteration_range=self._rounds)
        if self._objective in _THRESHOLDS:
            return made > _THRESHOLDS[self._objective]
        return made.argmax(axis=1) if made.ndim == 2 else made


def _read(path: Path) -> Any:
    booster = xgboost.Booster({"nthread": threads()})
    try:
        booster.load_model(path)
    except (xgboost.core.XGBoostError, ValueError) as error:
        # What XGBoost says goes on with its own stack.
        why = str(error).strip().splitlines()[-1:] or [""]
        raise errors.InvalidModel(f"{path.name} cannot be read by XGBoost ({why[0]:.200}).") from error
    return booster
