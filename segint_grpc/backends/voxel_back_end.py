"""What the back ends share whose model judges voxel by voxel, by features that its parameters declare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from segint_grpc.backends import require
from segint_grpc.backends.base import Channel, Masks, ModelSource
from segint_grpc.backends.library_back_end import LibraryBackEnd
from segint_grpc.backends.model_file import only_file
from segint_grpc.backends.voxel_features import FEATURES, LABELS, declared
from segint_grpc.backends.voxel_labels import wanted_labels


class Classifier(Protocol):
    """A loaded model."""

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""


class VoxelBackEnd(LibraryBackEnd, ABC):
    """Two of the verbs. Whoever extends it has `carries_code`, and `load`, which sets `_model`.

    Parameters: `features` (voxel_features.py), `labels` (voxel_labels.py).
    """

    libraries: ClassVar[tuple[str, ...]]
    """What has to be installed."""

    def __init__(self) -> None:
        """Be without a model."""
        self._model: Classifier | None = None

    def check(self, source: ModelSource) -> None:
        """Raise InvalidModel if a library or the file is missing, or the file or a parameter is wrong."""
        require(self.name, self.extra, *self.libraries)
        self.refuse_others(only_file(source, self.name, (FEATURES, LABELS)))
        declared(source.parameters, source.channel_ids)
        wanted_labels(source)

    @abstractmethod
    def refuse_others(self, path: Path) -> None:
        """Raise InvalidModel unless the file `path` is of the kind that is loaded."""

    def predict(self, channels: Sequence[Channel], progress: Callable[[float], None]) -> Masks:
        """Return StructureID → mask_kji."""
        assert self._model is not None, "load comes before predict"
        return self._model.predict(channels, progress)
