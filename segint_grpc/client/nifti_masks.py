"""Writes masks as NIfTI files that overlay the scan they were drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from segint_grpc.client.scan import NiftiFrame

COMPRESSION_LEVEL = 2
# Both libraries are typed in part only.
_new_image: Any = nibabel.Nifti1Image
_open_gzip: Any = igzip.open


def write_mask(path: Path, mask_kji: NDArray[np.uint8], frame: NiftiFrame) -> None:
    """Write `mask_kji` (0 outside, 1 inside) to `path` (.nii.gz), in the scan's own axis order and frame."""
    image = _new_image(frame.order.to_file(mask_kji), frame.sform, dtype=np.uint8)
    image.set_sform(frame.sform, code=frame.sform_code)
    image.set_qform(frame.qform, code=frame.qform_code)
    image.header.set_xyzt_units(frame.unit)
    with _open_gzip(path, "wb", compresslevel=COMPRESSION_LEVEL) as stream:
        image.to_stream(stream)
