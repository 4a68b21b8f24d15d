"""Scans for tests: the real ones where they are, and DICOM series written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"
needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason=f"the real scans are not at {SHARED_DATA}"
)
PYDICOM_SERIES = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def write_series(
    folder: Path,
    image_kji: NDArray[np.int16],
    *,
    orientation: tuple[float, ...] = AXIAL,
    origin: tuple[float, float, float] = (-12.5, -30.25, 100.0),
    pixel_spacing: tuple[float, float] = (0.8, 0.6),
    step_mm: float = 2.5,
    order: list[int] | None = None,
    change: Callable[[int, FileDataset], None] = lambda k, dataset: None,
) -> Path:
    """Write one file a slice, stored as HU + 1024; file and instance numbers follow `order`, not place.

    Slice k lies at origin + k * step_mm along the normal; a negative step runs against it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    series, frame = generate_uid(), generate_uid()
    for number, k in enumerate(order or range(len(image_kji))):
        dataset = _slice(image_kji[k], series, frame)
        dataset.InstanceNumber = number + 1
        dataset.ImageOrientationPatient = [f"{value:.10g}" for value in orientation]
        dataset.ImagePositionPatient = [f"{v:.8g}" for v in np.array(origin) + k * step_mm * normal]
        dataset.PixelSpacing = list(pixel_spacing)
        change(k, dataset)
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)
    return folder


def _slice(image_ji: NDArray[np.int16], series: str, frame: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = series, frame
    dataset.Rows, dataset.Columns = image_ji.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = "1", "-1024"
    dataset.PixelData = (image_ji.astype(np.int32) + 1024).astype("<u2").tobytes()
    return dataset
