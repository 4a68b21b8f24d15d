"""A scan as nnU-Net's reader would have read it from a file, and what was found laid back on its own grid.

An array is [channel, slice, row, column] for every reader: those that go through nibabel turn its axes round.
Some turn every scan to RAS. The others take a file as it is stored, so a model knows scans as its training
files lay, and every scan is turned to that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel
from segint_grpc.backends.layout import check_one_grid
from segint_grpc.backends.nnunet_folder import NnunetModel
from segint_grpc.backends.nnunet_options import ORIENTATION, Options
from segint_grpc.domain.geometry import faults
from segint_grpc.domain.nnunet_files import READERS
from segint_grpc.domain.orientation import Arrangement, arrangement_for

USUAL = "LPS"
"""How DICOM's axial slices lie, sorted from feet to head, and how SimpleITK writes them."""


@dataclass(frozen=True)
class NnunetScan:
    """Voxels, float32 [channel, slice, row, column], their spacing, and how they were turned."""

    values: NDArray[np.float32]
    spacing_kji_mm: tuple[float, float, float]
    arrangement: Arrangement

    def laid_back(self, label_kji: NDArray[Any]) -> NDArray[Any]:
        """Return labels of `values`' grid as a view of the grid that was sent."""
        return self.arrangement.undo(label_kji)


def wanted_orientation(model: NnunetModel, options: Options) -> str:
    """Return where columns, rows and slices grow to in what `model` is given.

    Raises:
        InvalidModel: it is given for a reader that has its own.
    """
    own = READERS[model.reader]
    if own and options.orientation:
        raise errors.InvalidModel(
            f"The model's reader {model.reader} turns every scan to {own}; leave the parameter {ORIENTATION} "
            "out."
        )
    return own or options.orientation or USUAL


def unsaid(model: NnunetModel, options: Options) -> tuple[str, ...]:
    """Return what a job's timeline says where nobody has said how the training files were stored."""
    if READERS[model.reader] or options.orientation:
        return ()
    return (
        f"The model's reader {model.reader} takes files as they are stored, and the parameter {ORIENTATION} "
        f"does not say how its training files were; it was given {USUAL}.",
    )


def nnunet_scan(channels: Sequence[Channel], letters: str, *, nifti: bool) -> NnunetScan:
    """Return `channels` turned to `letters`, each axis going to the patient's axis that it is closest to.

    `nifti`: a NIfTI file would have kept the spacing in 32 bits.

    Raises:
        ModelFailure: the channels lie on different grids.
        ClientMistake: nobody can tell how they lie in the patient.
    """
    check_one_grid(channels)
    geometry = channels[0].geometry
    if found := faults(geometry):
        raise errors.ClientMistake("The model must know how the scan lies in the patient. " + " ".join(found))
    arrangement = arrangement_for(geometry, letters)
    x, y, z = arrangement.geometry(geometry).spacing_xyz_mm
    if nifti:
        x, y, z = (float(np.float32(spacing)) for spacing in (x, y, z))
    values = np.stack([arrangement.apply(channel.image_kji) for channel in channels], dtype=np.float32)
    return NnunetScan(values, (z, y, x), arrangement)
