"""A folder as one file: equal content gives equal bytes, and nothing is taken that would not come back."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.zips.folder import write_folder_zip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "bundle"
    (made / "models").mkdir(parents=True)
    (made / "models" / "model.pt").write_bytes(bytes(range(256)) * 100)
    (made / "metadata.json").write_text("{}")
    return made


def zipped(folder: Path, target: Path) -> bytes:
    write_folder_zip(folder, target)
    return target.read_bytes()


def test_equal_content_gives_equal_bytes_wherever_and_whenever_it_lies(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / "other"
    shutil.copytree(folder, copy)
    os.utime(copy / "metadata.json", (1, 1))
    (copy / "models" / "model.pt").chmod(0o755)
    assert zipped(folder, tmp_path / "1.zip") == zipped(copy, tmp_path / "2.zip")


def test_it_holds_every_file_under_its_name_and_what_systems_leave_behind_stays_out(
    folder: Path, tmp_path: Path
) -> None:
    for rest in ("__pycache__/a.pyc", ".git/HEAD", ".DS_Store"):
        path = folder / rest
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (folder / ".gitattributes").write_text("*.pt binary")
    write_folder_zip(folder, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.namelist() == [".gitattributes", "metadata.json", "models/model.pt"]
        assert archive.read("models/model.pt") == (folder / "models" / "model.pt").read_bytes()


def test_a_link_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    (folder / "weights.pt").symlink_to("/etc/hostname")
    with pytest.raises(errors.InvalidModel, match=r"weights\.pt is a link"):
        write_folder_zip(folder, tmp_path / "x.zip")


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(errors.InvalidModel, match="has no files"):
        write_folder_zip(tmp_path / "empty", tmp_path / "x.zip")


def test_a_target_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.Unwritable, match=r"no/x\.zip"):
        write_folder_zip(folder, tmp_path / "no" / "x.zip")
