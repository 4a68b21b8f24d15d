"""Runs a model on a prepared scan in the mode that its manifest names, in one pass or coarse to fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.backends.base import Channel, TileBackEnd
from segint_grpc.preparation import grids, slices, windows
from segint_grpc.preparation.cleaning import bounding_box
from segint_grpc.preparation.network import network_of
from segint_grpc.preparation.preparing import Box, Prepared, prepare
from segint_grpc.preparation.scores import FULL, Found, Reading

COARSE_MARGIN_MM = 20.0
COARSE_SHARE = 0.2
"""Of the work, as far as progress is told."""

Tell = Callable[[float], None]


def infer(
    channels: Sequence[Channel], backend: TileBackEnd, handling: ScanHandling, reading: Reading, tell: Tell
) -> Found:
    """Return what the model finds in `channels`, which come as they were sent, in the family's order."""
    prepared = prepare(channels, handling.input)
    tell(0.0)
    if not handling.inference.HasField("coarse"):
        return _one_pass(prepared, backend, handling, reading, tell)
    region = _region(channels, prepared, backend, handling, reading, tell)
    if region is None:
        tell(1.0)
        return _nothing(prepared, reading)
    rest = 1 - COARSE_SHARE
    fine = prepared.cropped(region)
    return _one_pass(fine, backend, handling, reading, lambda share: tell(COARSE_SHARE + rest * share))


def padded(prepared: Prepared, handling: ScanHandling) -> Prepared:
    """Return `prepared` with what the manifest, and a window, need around it."""
    least, multiple = ([*values, 0, 0, 0][2::-1] for values in _declared(handling.input.padding))
    if handling.inference.mode == ScanHandling.MODE_SLIDING_WINDOW:
        window = handling.inference.window
        least = [max(size, length) for size, length in zip(least, window[::-1], strict=True)]
    return prepared.padded(least, multiple)


def _declared(padding: ScanHandling.Padding) -> tuple[Sequence[int], Sequence[int]]:
    return padding.min_size, padding.multiple_of


def _one_pass(
    prepared: Prepared,
    backend: TileBackEnd,
    handling: ScanHandling,
    reading: Reading,
    tell: Tell,
    *,
    coarse: bool = False,
) -> Found:
    whole = padded(prepared, handling)
    volume = _stacked(whole.images)
    network = network_of(backend, handling.inference, coarse=coarse)
    if handling.inference.mode == ScanHandling.MODE_SLIDING_WINDOW:
        values = windows.infer(volume, network, handling.inference, reading, tell)
    elif handling.inference.mode == ScanHandling.MODE_SLICES:
        values = slices.infer(volume, network, handling, reading, tell)
    else:
        values = reading.read_volume(network(volume[None])[0])
        tell(1.0)
    return Found(tuple(values), whole.geometry, reading.gives_labels)


def _stacked(images: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Return the channels as one array; a single one of float32 is not copied."""
    if len(images) == 1:
        return np.asarray(images[0], dtype=np.float32)[None]
    return np.stack([np.asarray(image, dtype=np.float32) for image in images])


def _region(
    channels: Sequence[Channel],
    prepared: Prepared,
    backend: TileBackEnd,
    handling: ScanHandling,
    reading: Reading,
    tell: Tell,
) -> Box | None:
    """Return the part of `prepared` around what the coarse pass finds, None where it finds nothing."""
    wanted = handling.inference.coarse
    rough = ScanHandling()
    rough.CopyFrom(handling)
    spacing = list(wanted.spacing_mm)
    rough.input.spacing_mm[:] = spacing if len(spacing) == 3 else spacing * 3
    coarse = prepare(channels, rough.input)
    found = _one_pass(coarse, backend, rough, reading, lambda share: tell(COARSE_SHARE * share), coarse=True)
    inside = np.zeros(found.geometry.shape_kji, np.bool_)
    for values in found.values:
        inside |= np.isin(values, reading.labels) if found.is_labels else values > FULL // 2
    box = bounding_box(inside)
    if box is None:
        return None
    margin_mm = wanted.margin_mm if wanted.HasField("margin_mm") else COARSE_MARGIN_MM
    region = grids.box_around(box, found.geometry, prepared.geometry, margin_mm)
    return region if all(part.stop > part.start for part in region) else None


def _nothing(prepared: Prepared, reading: Reading) -> Found:
    """Return that there is nothing, on a grid of one voxel."""
    geometry = grids.boxed(prepared.geometry, (0, 0, 0), (1, 1, 1))
    count = 1 if reading.gives_labels else len(reading.labels)
    return Found(tuple(np.zeros((count, 1, 1, 1), np.uint8)), geometry, reading.gives_labels)
