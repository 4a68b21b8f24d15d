"""Writes masks as NIfTI files that overlay the scan they were drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from segint_grpc.client.scan import NiftiFrame

COMPRESSION_LEVEL = 2


def write_mask(path: Path, mask_kji: NDArray[np.uint8], frame: NiftiFrame) -> None:
    """Write `mask_kji` (0 outside, 1 inside) to `path` (.nii.gz), in the scan's own axis order and frame."""
    image: Any = nibabel.Nifti1Image(frame.order.to_file(mask_kji), frame.sform, dtype=np.uint8)
    image.set_sform(frame.sform, code=frame.sform_code)
    image.set_qform(frame.qform, code=frame.qform_code)
    image.header.set_xyzt_units(frame.unit)
    with igzip.open(path, "wb", compresslevel=COMPRESSION_LEVEL) as stream:
        image.to_stream(cast(BinaryIO, stream))
