"""The scan that a check turns about, as a package brings it: a serialized ModelInput, or NIfTI files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from segint_grpc import errors
from segint_grpc.client.package_server import Outgoing
from segint_grpc.client.request import build_request
from segint_grpc.client.scan import Scan
from segint_grpc.client.scans import NIFTI_SUFFIXES, read_scan
from segint_grpc.packaging.manifest import Manifest
from segint_grpc.packaging.package import Package

NAME = "check_scan.pb"


def check_scan_of(package: Package, check_scan: str | Mapping[str, str]) -> Outgoing:
    """Return the ModelInput to upload for `check_scan`, a file of the package or ChannelID → file.

    Raises:
        InvalidModel: a single NIfTI file is given for a family of several channels.
        UnusableScan: a scan cannot be read.
        MissingLibrary: the library for NIfTI files is not installed.
    """
    if isinstance(check_scan, str) and not check_scan.lower().endswith(NIFTI_SUFFIXES):
        name = PurePosixPath(check_scan).name
        return Outgoing(name, package.size_bytes(check_scan), lambda: package.chunks(check_scan))
    files = check_scan if isinstance(check_scan, Mapping) else {_only_channel(package.manifest): check_scan}
    return _outgoing([(channel_id, _read(package, name)) for channel_id, name in files.items()])


def check_scan_from(path: Path, channel_ids: Sequence[str]) -> Outgoing | None:
    """Return the ModelInput to upload for a NIfTI file or DICOM folder; None where `path` is one already.

    Raises:
        InvalidModel: a single scan is given for a family of several channels.
        UnusableScan: the scan cannot be read.
        MissingLibrary: the library for such scans is not installed.
    """
    if path.is_file() and not path.name.lower().endswith(NIFTI_SUFFIXES):
        return None
    if len(channel_ids) != 1:
        raise errors.InvalidModel(
            f"{path.name} is one scan, and the model takes {', '.join(channel_ids)}. Name a serialized "
            "ModelInput with all of them, such as `segint job input` fetches of a job."
        )
    return _outgoing([(channel_ids[0], read_scan(path))])


def _outgoing(channels: Sequence[tuple[str, Scan]]) -> Outgoing:
    body = build_request(channels)
    return Outgoing(NAME, body.size_bytes, lambda: map(bytes, body.chunks()))


def _only_channel(manifest: Manifest) -> str:
    channels = [channel.ChannelID for channel in manifest.family.FamilyDescription.InputChannels]
    if len(channels) == 1:
        return channels[0]
    wanted = ", ".join(f'{channel_id} = "{channel_id}.nii.gz"' for channel_id in channels)
    raise errors.InvalidModel(f"check_scan needs a file for each channel: {{ {wanted} }}.")


def _read(package: Package, name: str) -> Scan:
    """Read a NIfTI file of the package by way of a temporary copy, since its library wants a path."""
    with tempfile.TemporaryDirectory(prefix="segint-scan-") as folder:
        copy = Path(folder) / PurePosixPath(name).name
        with copy.open("wb") as file:
            for chunk in package.chunks(name):
                file.write(chunk)
        return read_scan(copy)
