"""Reads a DICOM series from a folder as a scan.

Slices are ordered by where they lie (Image Position (Patient) along the normal of Image Orientation
(Patient), DICOM PS3.3 C.7.6.2), never by number or name. Only a series whose slices form one regular,
upright stack is taken: everything else is refused with the name of the slice, since a guess would put a
contour at a wrong place in the patient.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from segint_grpc import errors
from segint_grpc.client.calibration import Calibration
from segint_grpc.client.dicom_stack import Slice, stack
from segint_grpc.client.scan import Scan, frame_of

HEADER_TAGS = (
    "SOPClassUID", "Modality", "ImageType", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription",
    "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
    "Columns", "NumberOfFrames", "SamplesPerPixel",
)  # fmt: skip
NO_SCANS = (
    "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "RTIMAGE",
    "REG", "SEG", "SR", "PR", "KO", "FID", "DOC", "RWV",
)  # fmt: skip
"""Modalities of objects that are commonly exported beside a series and hold no slice of it."""


def read(folder: Path, series: str = "") -> Scan:
    """Read the one DICOM series in `folder` and its subfolders, or the one whose UID ends in `series`.

    Raises:
        UnusableScan: no series, several, or one that is no regular stack; names the slice.
    """
    found, ignored = _headers(folder)
    chosen, notes = _choose(found, series, folder)
    ordered, geometry = stack(chosen)
    image_kji = np.empty(geometry.shape_kji, dtype=np.int16)
    calibration = Calibration()
    for k, piece in enumerate(ordered):
        image_kji[k] = _pixels(piece, calibration)
    if ignored:
        notes = (*notes, f"{ignored} other files in {folder} hold no slices and were left out.")
    return Scan(image_kji, geometry, frame_of(geometry), str(folder), notes + calibration.notes)


def _headers(folder: Path) -> tuple[dict[str, list[Slice]], int]:
    found: dict[str, list[Slice]] = {}
    ignored = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        header = _header(path)
        if header is None or header.get("Modality", "") in NO_SCANS:
            ignored += 1
            continue
        found.setdefault(str(header.get("SeriesInstanceUID") or ""), []).append(Slice(path, header))
    if not found:
        raise errors.UnusableScan(f"There is no DICOM slice in {folder}.")
    return found, ignored


def _header(path: Path) -> pydicom.Dataset | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(HEADER_TAGS))
    except InvalidDicomError:
        return None
    except (OSError, EOFError, ValueError, AttributeError, NotImplementedError, KeyError) as error:
        raise errors.UnusableScan(f"{path} cannot be read as DICOM: {error}") from None
    is_directory = header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    return None if is_directory else header


def _choose(found: dict[str, list[Slice]], series: str, folder: Path) -> tuple[list[Slice], tuple[str, ...]]:
    if series:
        fitting = [uid for uid in found if uid.endswith(series)]
        if len(fitting) != 1:
            problem = f"{len(fitting)} series end in {series}" if fitting else f"No series ends in {series}"
            raise errors.UnusableScan(f"{problem}. {folder} holds:\n{_listing(found)}")
        return found[fitting[0]], ()
    volumes = [uid for uid, slices in found.items() if not all(piece.scout for piece in slices)]
    if len(found) > 1 and len(volumes) != 1:
        raise errors.UnusableScan(
            f"{folder} holds {len(found)} series; choose one with --series UID:\n{_listing(found)}"
        )
    chosen = volumes[0] if volumes else next(iter(found))
    left_out = len(found) - 1
    notes = (f"{left_out} series of scout images in {folder} left out.",) if left_out else ()
    return found[chosen], notes


def _listing(found: dict[str, list[Slice]]) -> str:
    def line(uid: str, slices: list[Slice]) -> str:
        header = slices[0].header
        scouts = ", scout" if all(piece.scout for piece in slices) else ""
        return (
            f"  {uid or '(no UID)'}  {header.get('Modality', '?')}, {len(slices)} slices{scouts}, "
            f"in {slices[0].path.parent.name}"
        )

    return "\n".join(line(uid, slices) for uid, slices in _by_size(found.items()))


def _by_size(series: Iterable[tuple[str, list[Slice]]]) -> list[tuple[str, list[Slice]]]:
    return sorted(series, key=lambda item: (-len(item[1]), item[0]))


def _pixels(piece: Slice, calibration: Calibration) -> NDArray[np.int16]:
    try:
        with warnings.catch_warnings(action="ignore"):
            dataset = pydicom.dcmread(piece.path)
            stored = dataset.pixel_array
    except (RuntimeError, NotImplementedError, ImportError) as error:
        raise errors.UnusableScan(f"{piece.name}: its pixels cannot be decoded: {error}") from None
    except (OSError, EOFError, ValueError, AttributeError, KeyError) as error:
        raise errors.UnusableScan(f"{piece.name} is damaged: {error}") from None
    slope = _number(dataset, "RescaleSlope", 1.0)
    intercept = _number(dataset, "RescaleIntercept", 0.0)
    return calibration.to_int16(stored, slope, intercept, f"Slice {piece.name}")


def _number(dataset: Any, keyword: str, default: float) -> float:
    value = dataset.get(keyword)
    return default if value is None or value == "" else float(value)
