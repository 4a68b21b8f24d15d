"""What a segint.v1.ScanHandling may say: everything that its types leave open, found with the field's path.

The manifest's reader shows such a path with its line, the service as it is. Nothing is run or loaded here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.domain import hurry

Path = tuple[str | int, ...]
"""Fields and list indices that lead to a value, for instance ("input", "spacing_mm")."""

Problem = tuple[Path, str]
"""Where something is wrong, and the rest of a sentence that begins with the field's name."""

ORIENTATION_PAIRS = ("LR", "PA", "SI")
FLIP_AXES = "xyz"
AXES = ("", "kji", "ijk")
OVERLAP_MAX = 0.9
SPACING_MIN_MM = 0.05
WINDOW_MAX = 1024


def shapes_the_input(handling: ScanHandling) -> bool:
    """Return whether a version with `handling` is run otherwise than on the volumes as they were sent."""
    return any(map(handling.HasField, ("input", "inference", "output")))


def parse_handling(body: bytes) -> ScanHandling:
    """Return the stored `body` as a message."""
    return ScanHandling.FromString(body)


def problems(
    handling: ScanHandling, channel_ids: Sequence[str], structure_ids: Sequence[str]
) -> list[Problem]:
    """Return everything that is wrong with `handling` for a version of these channels and structures."""
    found = [*_input(handling.input, channel_ids), *_inference(handling), *_output(handling, structure_ids)]
    limits = handling.limits
    if not 0 <= limits.deadline_s < math.inf:
        found.append((("limits", "deadline_s"), "must be a number of seconds, 0 or more."))
    return found


def _input(wanted: ScanHandling.Input, channel_ids: Sequence[str]) -> Iterator[Problem]:
    if wanted.channels and sorted(wanted.channels) != sorted(channel_ids):
        yield ("input", "channels"), f"must name each channel once: {', '.join(sorted(channel_ids))}."
    if problem := _orientation(wanted.orientation):
        yield ("input", "orientation"), problem
    if wanted.straighten and not wanted.orientation:
        yield ("input", "straighten"), 'needs an orientation, for instance orientation = "LPS".'
    yield from _spacing(("input", "spacing_mm"), wanted.spacing_mm, (0, 3), least=0)
    for name in ("min_size", "multiple_of"):
        yield from _sizes(("input", "padding", name), getattr(wanted.padding, name))
    if wanted.crop.margin_mm < 0:
        yield ("input", "crop", "margin_mm"), "must not be below 0."
    named = [intensity.channel for intensity in wanted.intensity]
    for index, intensity in enumerate(wanted.intensity):
        path: Path = ("input", "intensity", index)
        if intensity.channel and intensity.channel not in channel_ids:
            yield (*path, "channel"), f"is no channel; there is {', '.join(sorted(channel_ids))}."
        if intensity.channel in named[:index]:
            yield (*path, "channel"), f"is {intensity.channel!r}, as of another element."
        yield from _intensity(path, intensity)


def _orientation(letters: str) -> str:
    if not letters:
        return ""
    pairs = [next((pair for pair in ORIENTATION_PAIRS if letter in pair), "") for letter in letters]
    if sorted(pairs) == sorted(ORIENTATION_PAIRS):
        return ""
    return (
        f"cannot be {letters!r}. Write where columns, rows and slices grow to, a letter each of L or R, "
        'P or A, S or I: for instance "LPS" or "RAS".'
    )


def _intensity(path: Path, wanted: ScanHandling.Intensity) -> Iterator[Problem]:
    for name in ("clip", "range", "percentiles"):
        bounds = getattr(wanted, name)
        if bounds and not (len(bounds) == 2 and bounds[0] < bounds[1]):
            yield (*path, name), "must be two numbers, the lower one first."
    if wanted.percentiles and not all(0 <= value <= 100 for value in wanted.percentiles):
        yield (*path, "percentiles"), "must lie between 0 and 100."
    if wanted.window and not (len(wanted.window) == 2 and wanted.window[1] > 0):
        yield (*path, "window"), "must be the window's centre and width, for instance [40, 400]."
    if wanted.HasField("scale") and not 0 < abs(wanted.scale) < math.inf:
        yield (*path, "scale"), "must be a number other than 0."
    fixed = wanted.normalise == ScanHandling.NORMALISE_FIXED
    for name in ("mean", "deviation"):
        if fixed and not wanted.HasField(name):
            yield (*path, name), 'is missing; normalise = "fixed" needs it.'
        if wanted.HasField(name) and not fixed:
            yield (*path, name), 'belongs to normalise = "fixed".'
    if wanted.HasField("deviation") and not wanted.deviation > 0:
        yield (*path, "deviation"), "must be above 0."


def _inference(handling: ScanHandling) -> Iterator[Problem]:
    wanted = handling.inference
    windows = wanted.mode == ScanHandling.MODE_SLIDING_WINDOW
    slices = wanted.mode == ScanHandling.MODE_SLICES
    if windows and not (len(wanted.window) == 3 and all(0 < size <= WINDOW_MAX for size in wanted.window)):
        yield ("inference", "window"), f"must be columns, rows and slices, each 1 to {WINDOW_MAX}."
    yield from _strangers(wanted)
    yield from _averaged_labels(handling)
    if not 0 <= wanted.overlap <= OVERLAP_MAX:
        yield ("inference", "overlap"), f"must lie between 0 and {OVERLAP_MAX}."
    if slices and not handling.input.orientation:
        yield ("inference", "mode"), "is slices, which needs input.orientation to know the planes."
    axes = FLIP_AXES[:2] if slices else FLIP_AXES
    for flip in wanted.flips:
        if not flip or len(set(flip)) != len(flip) or set(flip) - set(axes):
            known = ", ".join(f'"{axis}"' for axis in axes)
            yield ("inference", "flips"), f'cannot hold {flip!r}. Write one of {known} or several, as "xy".'
    if wanted.axes not in AXES:
        yield ("inference", "axes"), f'cannot be {wanted.axes!r}. It can be "kji" or "ijk".'
    if wanted.HasField("coarse"):
        yield from _spacing(("inference", "coarse", "spacing_mm"), wanted.coarse.spacing_mm, (1, 3))
        if wanted.coarse.margin_mm < 0:
            yield ("inference", "coarse", "margin_mm"), "must not be below 0."
    for name, sentence in hurry.problems(wanted):
        yield ("inference", "hurried", *filter(None, [name])), sentence


def _strangers(wanted: ScanHandling.Inference) -> Iterator[Problem]:
    """Yield the fields that belong to another mode."""
    written = {field.name for field, _ in wanted.ListFields()}
    owners = {"window": "sliding_window", "overlap": "sliding_window", "blending": "sliding_window"}
    owners["planes"] = "slices"
    modes = {ScanHandling.MODE_SLIDING_WINDOW: "sliding_window", ScanHandling.MODE_SLICES: "slices"}
    for name, owner in owners.items():
        if name in written and modes.get(wanted.mode) != owner:
            yield ("inference", name), f'belongs to mode = "{owner}".'


def _averaged_labels(handling: ScanHandling) -> Iterator[Problem]:
    """Yield what would average labels, which mean nothing between each other."""
    wanted = handling.inference
    if handling.output.returns != ScanHandling.RETURNS_LABELS:
        return
    told = 'is nothing that labels can be averaged by; let the model return "logits".'
    if wanted.flips:
        yield ("inference", "flips"), told
    if len(wanted.planes) > 1:
        yield ("inference", "planes"), told
    if wanted.blending in (ScanHandling.BLENDING_GAUSSIAN, ScanHandling.BLENDING_CONSTANT):
        yield ("inference", "blending"), told


def _output(handling: ScanHandling, structure_ids: Sequence[str]) -> Iterator[Problem]:
    wanted = handling.output
    scores = wanted.returns in (ScanHandling.RETURNS_PROBABILITIES, ScanHandling.RETURNS_LOGITS)
    if wanted.exclusive and not scores:
        yield ("output", "exclusive"), 'belongs to returns = "probabilities" or "logits".'
    if wanted.HasField("threshold") and (wanted.exclusive or not scores):
        yield ("output", "threshold"), "belongs to probabilities or logits that are not exclusive."
    if wanted.HasField("threshold") and not 0 < wanted.threshold < 1:
        yield ("output", "threshold"), "must lie between 0 and 1."
    if not 0 <= wanted.smallest_ml < math.inf:
        yield ("output", "smallest_ml"), "must be a volume in ml, 0 or more."
    named = [structure.id for structure in wanted.structures]
    for index, structure in enumerate(wanted.structures):
        path: Path = ("output", "structures", index)
        if structure.id not in structure_ids:
            yield (*path, "id"), f"is no structure of the version; there is {', '.join(structure_ids)}."
        if structure.id in named[:index]:
            yield (*path, "id"), f"is {structure.id!r}, as of another element."
        if structure.HasField("threshold") and not 0 < structure.threshold < 1:
            yield (*path, "threshold"), "must lie between 0 and 1."
        if structure.smallest_ml < 0:
            yield (*path, "smallest_ml"), "must not be below 0."
    yield from _labels(wanted, structure_ids)


def _labels(wanted: ScanHandling.Output, structure_ids: Sequence[str]) -> Iterator[Problem]:
    written = {structure.id: index for index, structure in enumerate(wanted.structures)}
    seen: dict[int, str] = {}
    for structure_id, label in labels(wanted, structure_ids).items():
        path: Path = ("output", "structures", written.get(structure_id, 0), "label")
        if label == 0 and has_background(wanted):
            yield path, "cannot be 0, which is the background."
        if label in seen:
            yield path, f"is {label} for {seen[label]} and {structure_id}."
        seen[label] = structure_id


def has_background(wanted: ScanHandling.Output) -> bool:
    """Return whether 0 is the background among the labels or classes."""
    return wanted.exclusive or wanted.returns == ScanHandling.RETURNS_LABELS


def labels(wanted: ScanHandling.Output, structure_ids: Sequence[str]) -> dict[str, int]:
    """Return StructureID → label or class, in the version's order."""
    first = 1 if has_background(wanted) else 0
    written = {
        structure.id: structure.label for structure in wanted.structures if structure.HasField("label")
    }
    return {name: written.get(name, place) for place, name in enumerate(structure_ids, first)}


def _spacing(
    path: Path, values: Sequence[float], lengths: tuple[int, ...], least: float = SPACING_MIN_MM
) -> Iterator[Problem]:
    fine = all(math.isfinite(value) and (value >= SPACING_MIN_MM or value == least) for value in values)
    if len(values) not in lengths or not fine:
        count = "one number or three" if 1 in lengths else "three numbers"
        yield path, f"must be {count} in mm, each {SPACING_MIN_MM} or more{'' if least else ', or 0'}."


def _sizes(path: Path, values: Sequence[int]) -> Iterator[Problem]:
    if len(values) not in (0, 3) or any(value > WINDOW_MAX for value in values):
        yield path, f"must be columns, rows and slices, none above {WINDOW_MAX}."
