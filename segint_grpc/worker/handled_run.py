"""A run of a version whose manifest shapes its input, its inference or its output: preparation/ around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import BackEnd, Channel, TileBackEnd
from segint_grpc.domain import handling as rules
from segint_grpc.preparation.cleaning import Rules, rules_for
from segint_grpc.preparation.modes import infer, padded
from segint_grpc.preparation.preparing import Prepared, prepare
from segint_grpc.preparation.restoring import restored
from segint_grpc.preparation.scores import Found, Reading
from segint_grpc.worker import output

Tell = Callable[[float], None]


@dataclass(frozen=True)
class HandledRun:
    """One version's way from the volumes as sent to masks on their grids."""

    backend: BackEnd
    handling: ScanHandling
    structures: Sequence[Model_pb2.Structure]

    def infer(self, channels: Sequence[Channel], tell: Tell) -> Found:
        """Return what the model finds; `tell` takes the finished share.

        Raises:
            WrongOutput: the model returned something else than its manifest says.
            InvalidModel: its back end cannot run it on tiles.
        """
        if not self.handling.HasField("inference"):
            prepared = padded(prepare(channels, self.handling.input), self.handling)
            tell(0.0)
            return self._whole(prepared, self.backend.predict(prepared.channels, tell))
        if not isinstance(self.backend, TileBackEnd):
            raise errors.InvalidModel(
                "Its back end runs whole volumes alone; leave [versions.inference] out."
            )
        return infer(channels, self.backend, self.handling, self._reading(), tell)

    def masks(self, found: Found, channels: Sequence[Channel]) -> Iterator[output.StructureMask]:
        """Yield each structure with its mask, one at a time, on the grid of its channel."""
        targets = [output.grid(structure, channels) for structure in self.structures]
        made = restored(found, self._rules(), targets)
        for structure, mask_kji in zip(self.structures, made, strict=True):
            yield structure, np.ascontiguousarray(mask_kji)

    def _labels(self) -> Mapping[str, int]:
        return rules.labels(self.handling.output, [structure.StructureID for structure in self.structures])

    def _rules(self) -> list[Rules]:
        return [rules_for(self.handling.output, name, label) for name, label in self._labels().items()]

    def _reading(self) -> Reading:
        wanted = self.handling.output
        return Reading(wanted.returns, wanted.exclusive, tuple(self._labels().values()))

    def _whole(self, prepared: Prepared, made: Any) -> Found:
        """Return what a model that was called with whole volumes returned."""
        returns, shape = self.handling.output.returns, prepared.geometry.shape_kji
        if returns in (ScanHandling.RETURNS_UNSPECIFIED, ScanHandling.RETURNS_MASKS):
            masks = output.check_on(made, self.structures, shape)
            return Found(tuple(masks), prepared.geometry, is_labels=False, full=1)
        reading = self._reading()
        scores = output.array(made)
        scores = scores[None] if scores.ndim == 3 else scores
        if scores.ndim != 4 or scores.shape[1:] != shape:
            raise errors.WrongOutput(
                f"The model returned an array of shape {scores.shape}; the prepared scan has {shape} "
                "(depth, height, width)."
            )
        return Found(tuple(reading.read_volume(scores)), prepared.geometry, reading.gives_labels)
