"""What a check says of what it saw: an outcome and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from generated.segint.v1.models_pb2 import CheckStep
from segint_grpc.domain import laterality
from segint_grpc.domain.agreement import (
    CERTAIN,
    Agreement,
    Masks,
    Verdict,
    centre_xyz_mm,
    shift_in_words,
    turned_in_words,
)
from segint_grpc.domain.geometry import Geometry
from segint_grpc.domain.plausibility import in_ml, in_words, name_of
from segint_grpc.service.gate.bench import grid_of
from segint_grpc.service.gate.scans import Scan
from segint_grpc.service.gate.trials import Orientation

PASSED = CheckStep.OUTCOME_PASSED
WARNING = CheckStep.OUTCOME_WARNING
FAILED = CheckStep.OUTCOME_FAILED

MEND = (
    "a model that is not the same in all directions has to declare its orientation ([versions.input] of its "
    "manifest), or has to take `geometry` and turn the scan."
)
"""What the author of a model that some orientation confuses can do."""


@dataclass(frozen=True)
class Finding:
    """How a step ended (a `CheckStep.Outcome`) and why, as a sentence."""

    outcome: CheckStep.Outcome
    sentence: str


@dataclass(frozen=True)
class Seen:
    """The masks of a scan as it was first stored, and those of the same scan in an orientation."""

    scan: Scan
    reference: Masks
    found: Masks
    orientation: Orientation
    agreement: Agreement


class Judge:
    """Says what masks mean, in the names of one version's structures."""

    def __init__(self, structures: Sequence[Model_pb2.Structure]) -> None:
        """Speak of `structures`."""
        self._structures = structures
        self._names = [name_of(structure) for structure in structures]

    def name(self, structure_id: str) -> str:
        """Return what a structure is called."""
        ids = [structure.StructureID for structure in self._structures]
        return self._names[ids.index(structure_id)]

    @property
    def has_pairs(self) -> bool:
        """Whether there is a left and a right structure of anything."""
        return bool(laterality.pairs(self._names))

    def volumes_ml(self, masks: Masks, scan: Scan) -> dict[str, float]:
        """Return the volume of each structure that is found, in ml, by name."""
        volumes = {}
        for structure, name in zip(self._structures, self._names, strict=True):
            voxel_mm3 = float(np.prod(grid_of(scan, structure.InputChannelID).geometry.spacing_xyz_mm))
            if count := int(np.count_nonzero(masks[structure.StructureID])):
                volumes[name] = count * voxel_mm3 / 1000
        return volumes

    def listed(self, volumes_ml: Mapping[str, float]) -> str:
        """Return volumes in words: "Liver (1501 ml) and Spleen (210 ml)"."""
        return in_words([f"{name} ({in_ml(volume)})" for name, volume in volumes_ml.items()])

    def swapped(self, masks: Masks, scan: Scan) -> list[tuple[str, str]]:
        """Return the left and right structures that lie on each other's side."""
        x_mm = {}
        for index, structure in enumerate(self._structures):
            geometry = grid_of(scan, structure.InputChannelID).geometry
            centre = centre_xyz_mm(masks[structure.StructureID], geometry)
            if centre is not None:
                x_mm[index] = float(centre[0])
        return laterality.swapped(self._names, x_mm)

    def oriented(self, seen: Seen, *, lenient: bool) -> Finding:
        """Judge the masks in an orientation; `lenient` where another scan is there to decide."""
        agreed, verdict = seen.agreement, seen.agreement.verdict
        if verdict is Verdict.NOTHING:
            return Finding(PASSED, "It runs and finds nothing, as before; that proves nothing of where.")
        if verdict is Verdict.AGREES:
            return self._agreeing(seen)
        if agreed.turned:
            soft = lenient and verdict is Verdict.TURNED_HERE
            return Finding(WARNING if soft else FAILED, self._turned(seen))
        soft = verdict is Verdict.DIFFERS or lenient or not seen.orientation.required
        return Finding(WARNING if soft else FAILED, self._apart(seen))

    def _agreeing(self, seen: Seen) -> Finding:
        """Pass, but for a shift that the Dice of a large structure hides: an index that is off by one."""
        structure_id, dice = seen.agreement.worst
        shift = self._shift(seen, structure_id) if dice < CERTAIN else None
        geometry, _ = self._grids(seen, structure_id)
        if shift is not None and bool(np.any(np.abs(shift) > max(geometry.spacing_xyz_mm))):
            return Finding(WARNING, self._apart(seen))
        return Finding(PASSED, f"Its masks lie at the same millimetres (Dice {dice:.2f} or more).")

    def _turned(self, seen: Seen) -> str:
        geometry, _ = self._grids(seen, next(iter(seen.reference)))
        how = turned_in_words(seen.agreement, geometry, seen.orientation.placement)
        if seen.agreement.verdict is Verdict.ALWAYS_TURNED:
            return (
                f"The model's masks are {how}: in {seen.orientation.name} the same body gets them "
                "elsewhere, and they agree only once they are turned back."
            )
        return (
            f"With {seen.orientation.name} the masks come out {how}. A model that turns scans by their "
            "geometry has to turn its masks back; one that is not the same in all directions has to take "
            "`geometry` and turn the scan."
        )

    def _apart(self, seen: Seen) -> str:
        structure_id, dice = seen.agreement.worst
        shift = self._shift(seen, structure_id)
        name, where = self.name(structure_id), seen.orientation.name
        if shift is None:
            before = bool(seen.reference[structure_id].any())
            found = "the scan as it was first stored" if before else where
            return f"{name} is found only with {found}; {MEND}"
        return f"With {where}, {name} lies {shift_in_words(shift)} of where it was (Dice {dice:.2f}); {MEND}"

    def _shift(self, seen: Seen, structure_id: str) -> NDArray[np.float64] | None:
        """Return by how much a structure's centre has moved, (3,) LPS in mm; None if it is in one alone."""
        geometry, moved = self._grids(seen, structure_id)
        before = centre_xyz_mm(seen.reference[structure_id], geometry)
        after = centre_xyz_mm(seen.found[structure_id], moved)
        return None if before is None or after is None else after - before

    def _grids(self, seen: Seen, structure_id: str) -> tuple[Geometry, Geometry]:
        channel_id = next(s.InputChannelID for s in self._structures if s.StructureID == structure_id)
        volume = grid_of(seen.scan, channel_id)
        return volume.geometry, seen.orientation.placement.geometry(volume.geometry)
