"""Reads a scan from whatever the user points at: a NIfTI file or a folder with a DICOM series."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from segint_grpc import errors
from segint_grpc.client.scan import Scan

NIFTI_SUFFIXES = (".nii", ".nii.gz")


def read_scan(path: Path, series: str = "") -> Scan:
    """Read the NIfTI file or the DICOM series at `path`.

    Args:
        path: a .nii or .nii.gz file, or a folder that holds the slices (in subfolders too).
        series: the SeriesInstanceUID, or its end, where the folder holds several series.

    Raises:
        UnusableScan: there is no scan, or it cannot be placed in the patient; the sentence names the slice.
        MissingLibrary: the reader's library is not installed.
    """
    if path.is_dir():
        return load_part("dicom").read(path, series)  # type: ignore[no-any-return]
    if not path.exists():
        raise errors.UnusableScan(f"There is no file or folder {path}.")
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return load_part("nifti").read(path)  # type: ignore[no-any-return]
    raise errors.UnusableScan(
        f"{path} is neither a NIfTI file ({', '.join(NIFTI_SUFFIXES)}) nor a folder. "
        "For DICOM, give the folder that holds all slices of the series."
    )


def load_part(name: str) -> Any:
    """Return the client's module `name`, which needs libraries that only the client's extra installs.

    Raises:
        MissingLibrary: one of them is not there; the sentence says how to install it.
    """
    try:
        return importlib.import_module(f"segint_grpc.client.{name}")
    except ModuleNotFoundError as error:
        raise errors.MissingLibrary(
            f'The library {error.name} is not installed. Type: pip install "segint[client]"'
        ) from None
