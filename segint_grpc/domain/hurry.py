"""What inference may give up when time is short: whether that saves any, how much, and what it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generated.segint.v1.handling_pb2 import ScanHandling

OVERLAP = 0.5
"""Of windows, where a manifest does not say."""

_AXES = 3
_FEWER = "must name fewer planes than inference.planes, and each of these at most once."


def problems(usual: ScanHandling.Inference) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with `usual.hurried`: a field of it (empty: the whole) and the sentence's rest."""
    wanted = usual.hurried
    if not usual.HasField("hurried"):
        return
    if not (wanted.HasField("overlap") or wanted.drop_flips or wanted.planes):
        yield "", "gives nothing up. Write overlap, drop_flips or planes, or leave the table out."
    if wanted.HasField("overlap"):
        if usual.mode != ScanHandling.MODE_SLIDING_WINDOW:
            yield "overlap", 'belongs to mode = "sliding_window".'
        elif not 0 <= wanted.overlap < overlap(usual):
            yield "overlap", f"must be 0 or more, and lower than the usual {overlap(usual):g}."
    if wanted.drop_flips and not usual.flips:
        yield "drop_flips", "is of no use where there are no inference.flips."
    if wanted.planes and usual.mode != ScanHandling.MODE_SLICES:
        yield "planes", 'belongs to mode = "slices".'
    elif wanted.planes and not _are_some(wanted.planes, usual.planes):
        yield "planes", _FEWER


def overlap(inference: ScanHandling.Inference) -> float:
    """Return the share of a window that the next one covers again."""
    return inference.overlap if inference.HasField("overlap") else OVERLAP


def hurried(handling: ScanHandling) -> ScanHandling:
    """Return `handling` with all given up that may be; as it is, where that is nothing."""
    made = ScanHandling()
    made.CopyFrom(handling)
    wanted = handling.inference.hurried
    if not handling.inference.HasField("hurried"):
        return made
    made.inference.ClearField("hurried")
    if wanted.HasField("overlap"):
        made.inference.overlap = wanted.overlap
    if wanted.drop_flips:
        made.inference.ClearField("flips")
    if wanted.planes:
        made.inference.planes[:] = wanted.planes
    return made


def cost_share(handling: ScanHandling) -> float:
    """Return the share of the usual inference that the hurried one makes; 1 where there is none.

    Passes are counted: planes, flips, and windows as many as a scan has that is large beside one window.
    """
    return _passes(hurried(handling).inference) / _passes(handling.inference)


def given_up(handling: ScanHandling) -> str:
    """Return what the hurried setting gives up, in words to follow "with"."""
    usual, wanted = handling.inference, handling.inference.hurried
    parts = []
    if wanted.HasField("overlap"):
        parts.append(f"windows that overlap by {wanted.overlap:g} instead of {overlap(usual):g}")
    if wanted.drop_flips:
        parts.append("no flips")
    if wanted.planes:
        parts.append(f"slices of {len(wanted.planes)} instead of {len(usual.planes)} planes")
    return ", ".join(parts)


def _passes(inference: ScanHandling.Inference) -> float:
    passes = (1.0 + len(inference.flips)) * (len(inference.planes) or 1)
    if inference.mode == ScanHandling.MODE_SLIDING_WINDOW:
        passes *= (1 - overlap(inference)) ** -_AXES
    return passes


def _are_some(planes: Sequence[int], usual: Sequence[int]) -> bool:
    return set(planes) < set(usual) and len(planes) == len(set(planes))
