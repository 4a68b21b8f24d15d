"""Scans as MONAI has them, and masks as we do. Imports MONAI.

MONAI's arrays are (channel, column, row, slice) with an affine from (i, j, k) to RAS in mm: those of
domain/geometry.py with the axes in reverse and the first two rows of the affine negated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from segint_grpc import errors
from segint_grpc.backends.base import Channel
from segint_grpc.backends.bundle_labels import OutputLabels
from segint_grpc.backends.layout import check_one_grid
from segint_grpc.domain.geometry import Geometry

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_AFFINE_TOLERANCE = 1e-3


def scans(channels: Sequence[Channel], keys: Sequence[str]) -> dict[str, MetaTensor]:
    """Return key → scan: one scan with all channels, which then lie on one grid, or one for each channel.

    Raises:
        ModelFailure: there are neither as many keys as channels nor one.
    """
    if len(keys) == 1:
        check_one_grid(channels)
        return {keys[0]: _scan(channels)}
    if len(keys) != len(channels):
        raise errors.ModelFailure(
            f"The bundle loads {len(keys)} images ({', '.join(keys)}), and the family has {len(channels)} "
            "channels; say with the parameter inputs which keys the channels have, in their order."
        )
    return {key: _scan([channel]) for key, channel in zip(keys, channels, strict=True)}


def _scan(channels: Sequence[Channel]) -> MetaTensor:
    volume = np.stack([channel.image_kji.transpose(2, 1, 0) for channel in channels])
    affine = torch.from_numpy(ras_affine(channels[0].geometry))
    about = {
        "original_affine": affine.numpy().copy(),
        "spatial_shape": np.array(volume.shape[1:]),
        "space": "RAS",
        "original_channel_dim": 0,
        "filename_or_obj": "scan.nii.gz",
    }
    return MetaTensor(torch.from_numpy(volume.astype(np.float32)), affine=affine, meta=about)


def ras_affine(geometry: Geometry) -> NDArray[np.float64]:
    """Return the 4×4 matrix from (i, j, k, 1) to RAS in mm, rounded as a NIfTI file would hold it.

    MONAI's Spacing lays its grid elsewhere, by up to a voxel, where an oblique affine is exact, and
    bundles were trained and tried on what files hold.
    """
    rounded = (_LPS_TO_RAS @ geometry.affine).astype(np.float32)
    return rounded.astype(np.float64)


def lies_on(made: torch.Tensor, geometry: Geometry) -> bool:
    """Return whether `made` (channel, i, j, k) has its voxels where `geometry` says, as far as it tells."""
    if tuple(made.shape[-3:]) != geometry.shape_kji[::-1]:
        return False
    if not isinstance(made, MetaTensor):
        return True
    found = np.asarray(made.affine, dtype=np.float64)
    return np.allclose(found, ras_affine(geometry), atol=_AFFINE_TOLERANCE)


def masks(made: torch.Tensor, outputs: OutputLabels) -> dict[str, NDArray[np.bool_]]:
    """Return StructureID → mask_kji of `made` (channel, i, j, k): a map of labels, or a channel a structure.

    Raises:
        WrongOutput: it holds other than whole numbers, or has no such channel, or nobody knows its labels.
    """
    values = made.as_tensor() if isinstance(made, MetaTensor) else made
    values = values.detach().cpu()
    if values.is_floating_point() and not torch.equal(values, values.round()):
        raise errors.WrongOutput(
            "The bundle's postprocessing returns scores, not masks: it has to hold AsDiscreted, with argmax "
            "or a threshold."
        )
    values_cijk: NDArray[Any] = values.numpy()
    # One channel that is asked for more than its number 0 can only be a map.
    beyond = any(max(numbers) > 0 for numbers in outputs.labels.values())
    is_map = len(values_cijk) == 1 and (outputs.outputs != 1 or beyond)
    if is_map and not outputs.map_is_known:
        raise errors.WrongOutput(
            "The bundle makes one map of labels, but channel_def of its metadata.json names channels that "
            "overlap; say with the parameter labels which values are which structure."
        )
    found = {}
    for name, numbers in outputs.labels.items():
        if not is_map and max(numbers) >= len(values_cijk):
            raise errors.WrongOutput(
                f"The bundle returns {len(values_cijk)} channels; the structure {name} would be number "
                f"{max(numbers)}, counted from 0."
            )
        mask_ijk: NDArray[np.bool_] = (
            np.isin(values_cijk[0], numbers) if is_map else np.any(values_cijk[list(numbers)] > 0, axis=0)
        )
        found[name] = np.ascontiguousarray(mask_ijk.transpose(2, 1, 0))
    return found
