from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from generated.radiomics.Model_pb2 import ModelInput
from segint_grpc import errors
from segint_grpc.client.check_scan import check_scan_from, check_scan_of
from segint_grpc.client.phantom import write_phantom
from segint_grpc.client.scans import read_scan
from segint_grpc.packaging.package import FolderPackage
from tests.packages import SHORT, a_folder

TWO_CHANNELS = SHORT.replace(
    "[[versions]]", '[[channels]]\nid = "pet"\nmodalities = ["PET"]\n\n[[versions]]', 1
).replace('color = "#ff7800"', 'color = "#ff7800"\nchannel = "ct"')


def test_a_serialized_input_goes_as_it_is(tmp_path: Path) -> None:
    package = FolderPackage(a_folder(tmp_path, files={"scans/body.pb": b"as it is"}))
    scan = check_scan_of(package, "scans/body.pb")
    assert (scan.name, scan.size_bytes, b"".join(scan.chunks())) == ("body.pb", 8, b"as it is")
    assert scan.sha256() == hashlib.sha256(b"as it is").hexdigest()


def test_a_nifti_file_becomes_the_input_of_the_only_channel(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    write_phantom(folder / "scan.nii.gz", (4, 12, 10))
    scan = check_scan_of(FolderPackage(folder), "scan.nii.gz")
    body = b"".join(scan.chunks())
    assert len(body) == scan.size_bytes
    (channel,) = ModelInput.FromString(body).Channels
    volume = channel.CalibratedVolume.Volume
    assert channel.ChannelID == "ct"
    assert (volume.Depth, volume.Height, volume.Width) == (4, 12, 10)
    assert gzip.decompress(volume.Data) == read_scan(folder / "scan.nii.gz").image_kji.tobytes()
    assert check_scan_of(FolderPackage(folder), "scan.nii.gz").sha256() == scan.sha256()


def test_several_channels_need_a_file_each(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, TWO_CHANNELS)
    for seed, name in enumerate(("ct.nii.gz", "pet.nii.gz")):
        write_phantom(folder / name, (4, 12, 10), seed)
    package = FolderPackage(folder)
    scan = check_scan_of(package, {"ct": "ct.nii.gz", "pet": "pet.nii.gz"})
    channels = ModelInput.FromString(b"".join(scan.chunks())).Channels
    assert [channel.ChannelID for channel in channels] == ["ct", "pet"]
    with pytest.raises(errors.InvalidModel, match=r'\{ ct = "ct\.nii\.gz", pet = "pet\.nii\.gz" \}'):
        check_scan_of(package, "ct.nii.gz")


def test_a_file_that_is_no_scan_is_told(tmp_path: Path) -> None:
    package = FolderPackage(a_folder(tmp_path, files={"scan.nii.gz": b"nothing"}))
    with pytest.raises(errors.UnusableScan):
        check_scan_of(package, "scan.nii.gz")


def test_a_file_of_ones_own_becomes_the_input_of_the_only_channel(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii.gz"
    write_phantom(path, (4, 12, 10))
    scan = check_scan_from(path, ["ct"])
    assert scan is not None
    (channel,) = ModelInput.FromString(b"".join(scan.chunks())).Channels
    assert channel.ChannelID == "ct"
    assert gzip.decompress(channel.CalibratedVolume.Volume.Data) == read_scan(path).image_kji.tobytes()


def test_a_file_that_is_no_nifti_is_taken_for_a_serialized_input(tmp_path: Path) -> None:
    (tmp_path / "job.pb").write_bytes(b"as it is")
    assert check_scan_from(tmp_path / "job.pb", ["ct", "pet"]) is None


def test_one_scan_is_not_enough_for_several_channels(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidModel, match=r"the model takes ct, pet.*`segint job input`"):
        check_scan_from(tmp_path / "scan.nii.gz", ["ct", "pet"])
