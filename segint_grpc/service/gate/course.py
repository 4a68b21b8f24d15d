"""One check from its first step to its last: what is run, in which order, and what is made of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from segint_grpc import errors
from segint_grpc.domain.agreement import AGREES, Masks, agreement, overlap
from segint_grpc.domain.orientation import Arrangement
from segint_grpc.domain.plausibility import in_words
from segint_grpc.service.catalogue import ResolvedModel
from segint_grpc.service.gate.bench import Bench, Hung
from segint_grpc.service.gate.scans import Phantoms, Scan, placed
from segint_grpc.service.gate.trials import (
    FIELD_OF_VIEW,
    Orientation,
    every_axis_order,
    phantom_orientations,
    scan_orientations,
)
from segint_grpc.service.gate.verdicts import FAILED, MEND, PASSED, WARNING, Finding, Judge, Seen
from segint_grpc.service.hop import Hop

TILTED = Orientation("a tilted grid", Arrangement())
AGAIN = Orientation("the same scan again", Arrangement(), required=True)
ADD_A_SCAN = (
    "add a scan on which it finds its structures: check_scan in its manifest, or "
    "`segint model set --check-scan`."
)


@dataclass(frozen=True)
class Step:
    """A step of a check. After a failure of an `essential` one there is no point in going on."""

    name: str
    take: Callable[[], Awaitable[Finding]]
    essential: bool = False


@dataclass(frozen=True)
class Patience:
    """How long a run may take: on a phantom, and on the author's scan."""

    phantom: Hung
    scan: Hung


@dataclass(frozen=True)
class _Reference:
    """A scan as it was first stored, and its masks."""

    scan: Scan
    masks: Masks


class Course:
    """Takes the steps of one check and remembers what later ones need."""

    def __init__(self, model: ResolvedModel, bench: Bench, hop: Hop, patience: Patience) -> None:
        """Check `model` on `bench`; masks are compared in a thread of `hop`."""
        self.peak_memory_bytes = 0
        self._bench = bench
        self._hop = hop
        self._patience = patience
        self._phantoms = Phantoms(model.family)
        self._judge = Judge(model.version.Structures)
        self._structure_ids = [structure.StructureID for structure in model.version.Structures]
        self._scan_path = model.check_scan
        self._phantom: _Reference | None = None
        self._scan: _Reference | None = None
        self._proven: set[str] = set()
        self._sees_nothing_of_the_scan = False
        self._declares_orientation = bool(model.handling.input.orientation)

    def steps(self) -> list[Step]:
        """Return every step, in order."""
        axial_only = self._phantoms.axial_only
        steps = [
            Step("phantom", self._first_phantom, essential=True),
            Step("scan of air", self._air),
            Step("phantom of odd sizes", partial(self._runs, self._phantoms.odd)),
            Step("phantom of three slices", partial(self._runs, self._phantoms.few_slices)),
            Step("oblique phantom", self._tilted),
        ]
        if self._phantoms.several_channels:
            steps.append(Step("channels on unlike grids", self._unlike_grids))
        for orientation in phantom_orientations(axial_only):
            steps.append(Step(f"phantom, {orientation.name}", partial(self._turn_phantom, orientation)))
        if self._declares_orientation:
            steps.append(Step("phantom in all 48 axis orders", self._every_axis_order))
        steps.append(Step("phantom again", self._again))
        if self._scan_path is not None:
            steps.append(Step("scan", self._first_scan, essential=True))
            for orientation in scan_orientations(axial_only):
                steps.append(Step(f"scan, {orientation.name}", partial(self._turn_scan, orientation)))
        return [*steps, Step("where its masks land", self._sum_up)]

    async def _run(self, scan: Scan, patience: Hung) -> Masks:
        ran = await self._bench.run(scan, patience)
        self.peak_memory_bytes = ran.peak_memory_bytes
        return ran.masks

    async def _first_phantom(self) -> Finding:
        scan = self._phantoms.base()
        self._phantom = _Reference(scan, await self._run(scan, self._patience.phantom))
        volumes = self._judge.volumes_ml(self._phantom.masks, scan)
        if volumes:
            return Finding(PASSED, f"It finds {self._judge.listed(volumes)}.")
        return Finding(WARNING, "It finds nothing in a phantom, which cannot show where its masks land.")

    async def _air(self) -> Finding:
        scan = self._phantoms.nothing()
        masks = await self._run(scan, self._patience.phantom)
        volumes = self._judge.volumes_ml(masks, scan)
        if not volumes:
            return Finding(PASSED, "It finds nothing in air.")
        if self._phantom and _same(self._phantom.masks, masks):
            self._sees_nothing_of_the_scan = True
            return Finding(WARNING, "Its masks are the same whatever the scan shows.")
        return Finding(WARNING, f"It finds {self._judge.listed(volumes)} where there is only air.")

    async def _runs(self, draw: Callable[[], Scan]) -> Finding:
        scan = draw()
        volumes = self._judge.volumes_ml(await self._run(scan, self._patience.phantom), scan)
        return Finding(PASSED, f"It finds {self._judge.listed(volumes)}." if volumes else "It finds nothing.")

    async def _unlike_grids(self) -> Finding:
        try:
            return await self._runs(self._phantoms.unlike_grids)
        except errors.DeadlineExceeded:
            raise
        except errors.JobFailure as error:
            return Finding(WARNING, f"Scans whose channels have unlike grids fail: {error.message}")

    async def _tilted(self) -> Finding:
        return await self._turned(self._reference(self._phantom), self._phantoms.tilted(), TILTED)

    async def _again(self) -> Finding:
        reference = self._reference(self._phantom)
        masks = await self._run(reference.scan, self._patience.phantom)
        if _same(reference.masks, masks):
            return Finding(PASSED, "The same scan gets the same masks, with other scans between.")
        agreed = await self._hop.run(agreement, reference.masks, masks, AGAIN.placement)
        seen = Seen(reference.scan, reference.masks, masks, AGAIN, agreed)
        how = self._judge.oriented(seen, lenient=True).sentence
        return Finding(WARNING, f"The same scan gets other masks, with other scans between. {how}")

    async def _turn_phantom(self, orientation: Orientation) -> Finding:
        reference = self._reference(self._phantom)
        return await self._turned(reference, placed(reference.scan, orientation.placement), orientation)

    async def _every_axis_order(self) -> Finding:
        """Take the phantom through every axis order; the first that fails, else warns, speaks for all."""
        if not any(mask_kji.any() for mask_kji in self._reference(self._phantom).masks.values()):
            return Finding(PASSED, "It finds nothing in the phantom, so no axis order shows anything.")
        worst = Finding(PASSED, "Its masks lie at the same millimetres in all 48 axis orders.")
        for orientation in every_axis_order():
            found = await self._turn_phantom(orientation)
            if found.outcome == FAILED:
                return found
            if found.outcome == WARNING and worst.outcome == PASSED:
                worst = found
        return worst

    async def _turned(self, reference: _Reference, scan: Scan, orientation: Orientation) -> Finding:
        masks = await self._run(scan, self._patience.phantom)
        if self._sees_nothing_of_the_scan:
            return Finding(PASSED, "It runs.")
        lenient = self._scan_path is not None
        return await self._compared(reference, masks, orientation, lenient=lenient)

    async def _first_scan(self) -> Finding:
        assert self._scan_path is not None
        scan = await self._bench.read_scan(self._scan_path)
        self._scan = _Reference(scan, await self._run(scan, self._patience.scan))
        volumes = await self._hop.run(self._judge.volumes_ml, self._scan.masks, scan)
        if swap := await self._swapped(self._scan.masks, scan):
            return swap
        missing = [name for name in map(self._judge.name, self._structure_ids) if name not in volumes]
        if missing:
            return Finding(WARNING, f"It does not find {in_words(missing)} in the author's scan.")
        return Finding(PASSED, f"It finds {self._judge.listed(volumes)}.")

    async def _turn_scan(self, orientation: Orientation) -> Finding:
        reference = self._reference(self._scan)
        scan = placed(reference.scan, orientation.placement)
        masks = await self._run(scan, self._patience.scan)
        if swap := await self._swapped(masks, scan):
            return Finding(FAILED, f"{swap.sentence} With {orientation.name}, {MEND}")
        return await self._compared(reference, masks, orientation, lenient=False)

    async def _swapped(self, masks: Masks, scan: Scan) -> Finding | None:
        pairs = await self._hop.run(self._judge.swapped, masks, scan)
        if not pairs:
            return None
        left, right = pairs[0]
        return Finding(
            FAILED,
            f"Left and right are exchanged: {left} lies further to the patient's right than {right} "
            "(mirrored left–right).",
        )

    async def _compared(
        self, reference: _Reference, masks: Masks, orientation: Orientation, *, lenient: bool
    ) -> Finding:
        agreed = await self._hop.run(agreement, reference.masks, masks, orientation.placement)
        if orientation.name == FIELD_OF_VIEW:
            self._proven |= {name for name, dice in agreed.dice.items() if dice >= AGREES}
        seen = Seen(reference.scan, reference.masks, masks, orientation, agreed)
        return self._judge.oriented(seen, lenient=lenient)

    async def _sum_up(self) -> Finding:
        unproven = [self._judge.name(name) for name in self._structure_ids if name not in self._proven]
        if self._sees_nothing_of_the_scan:
            return Finding(WARNING, "Its masks do not depend on the scan, so nothing shows where they land.")
        if not self._proven:
            return Finding(FAILED, f"Nothing shows where its masks land; {ADD_A_SCAN}")
        if unproven:
            return Finding(WARNING, f"Nothing shows where {in_words(unproven)} would land; {ADD_A_SCAN}")
        if self._judge.has_pairs and self._scan is None:
            return Finding(WARNING, f"A phantom cannot tell left structures from right ones; {ADD_A_SCAN}")
        return Finding(PASSED, "Every structure landed at the same millimetres in another field of view.")

    @staticmethod
    def _reference(reference: _Reference | None) -> _Reference:
        # The first step on a scan is essential, so there is a reference wherever one is asked for.
        assert reference is not None
        return reference


def _same(first: Masks, second: Masks) -> bool:
    counted = (overlap(mask_kji, second[name]) for name, mask_kji in first.items())
    return all(both == one == other for both, one, other in counted)
