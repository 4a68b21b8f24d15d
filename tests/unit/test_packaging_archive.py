from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.packaging.archive import ArchiveLimits, ArchivePackage, open_package, write_archive
from segint_grpc.packaging.manifest import MANIFEST
from segint_grpc.packaging.package import FolderPackage
from segint_grpc.zips.folder import write_folder_zip
from tests.packages import SHORT, a_folder

WITH_FILES = SHORT.replace(
    '"phantom"', '"pytorch"\nmodel_file = "weights/net.pt"\nmodule_file = "net.py"\ncheck_scan = "scan.pb"'
)
FILES = {"weights/net.pt": bytes(range(256)) * 9000, "net.py": b"class Net: ...\n", "scan.pb": b"scan"}

Change = Callable[[zipfile.ZipFile], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "net", WITH_FILES, FILES)


@pytest.fixture
def archive(folder: Path, tmp_path: Path) -> Path:
    write_archive(FolderPackage(folder), tmp_path / "net.segint.zip")
    return tmp_path / "net.segint.zip"


def made(path: Path, change: Change, manifest: str = SHORT, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(MANIFEST, manifest)
        change(archive)
    return path


def refused(path: Path, limits: ArchiveLimits | None = None) -> str:
    with pytest.raises(errors.InvalidModel) as caught, ArchivePackage(path, limits):
        pass
    return str(caught.value)


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
    return info


def test_a_packed_folder_gives_its_manifest_and_every_byte_back(archive: Path, folder: Path) -> None:
    with open_package(archive) as package:
        assert package.manifest == FolderPackage(folder).manifest
        assert package.names == (MANIFEST, "net.py", "scan.pb", "weights/net.pt")
        for name, content in FILES.items():
            assert b"".join(package.chunks(name)) == content
            assert package.size_bytes(name) == len(content)


def test_equal_content_packs_into_equal_bytes(archive: Path, folder: Path, tmp_path: Path) -> None:
    for name in FILES:
        os.utime(folder / name, (1, 1))
    (folder / "notes.txt").write_text("nobody names me")
    again = tmp_path / "again.segint.zip"
    with open_package(folder) as package:
        write_archive(package, again)
    assert again.read_bytes() == archive.read_bytes()
    with open_package(archive) as package:
        write_archive(package, again)
    assert again.read_bytes() == archive.read_bytes()


def test_packing_tells_of_every_byte(folder: Path, tmp_path: Path) -> None:
    told: list[int] = []
    write_archive(FolderPackage(folder), tmp_path / "x.segint.zip", told.append)
    assert sum(told) == len(WITH_FILES) + sum(map(len, FILES.values()))


def test_packing_that_fails_leaves_nothing_and_harms_nothing(archive: Path, folder: Path) -> None:
    before = archive.read_bytes()
    package = FolderPackage(folder)
    assert package.manifest
    (folder / "scan.pb").unlink()
    with pytest.raises(errors.InvalidModel, match=r"names the file scan\.pb, which cannot be read"):
        write_archive(package, archive)
    assert archive.read_bytes() == before
    assert sorted(path.name for path in archive.parent.iterdir()) == ["net", "net.segint.zip"]


def test_a_place_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.Unwritable, match="cannot be written"):
        write_archive(FolderPackage(folder), tmp_path / "missing" / "net.segint.zip")


@pytest.mark.parametrize(
    "name",
    ["../net.py", "/net.py", "a/../net.py", "a//b", "./net.py", "C:net.py", "a\\..\\net.py", "net\n.py"],
)
def test_an_entry_of_an_odd_path_is_refused(tmp_path: Path, name: str) -> None:
    path = made(tmp_path / "odd.zip", lambda archive: archive.writestr(entry(name), "x"))
    assert "has a name that is refused" in refused(path)


def test_a_name_that_ends_at_a_nul_for_some_readers_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "odd.zip", lambda archive: archive.writestr("net.py_.exe", "x"))
    path.write_bytes(path.read_bytes().replace(b"net.py_.exe", b"net.py\x00.exe"))
    assert "has a name that is refused" in refused(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(tmp_path: Path, kind: int) -> None:
    path = made(
        tmp_path / "link.zip", lambda archive: archive.writestr(entry("net.py", kind | 0o777), "/etc/passwd")
    )
    assert "is a link or another thing that is no plain file" in refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "second", ["net.py", "NET.py", "net.py/deeper", "n\N{LATIN SMALL LETTER E WITH ACUTE}t", MANIFEST]
)
def test_two_entries_that_would_be_one_file_are_refused(tmp_path: Path, second: str) -> None:
    def add(archive: zipfile.ZipFile) -> None:
        archive.writestr("net.py", "x")
        archive.writestr("ne\N{COMBINING ACUTE ACCENT}t", "x")
        archive.writestr(second, "y")

    assert "would be one file" in refused(made(tmp_path / "twice.zip", add))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = made(
        tmp_path / "bomb.zip",
        lambda archive: archive.writestr("net.py", bytes(20_000_000)),
        method=zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 50_000
    assert "it looks like a bomb" in refused(path)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    def add(archive: zipfile.ZipFile) -> None:
        archive.writestr("a", os.urandom(10_000))
        first = archive.getinfo("a")
        for n in range(3):
            twin = entry(f"b{n}")
            for name in ("header_offset", "compress_size", "file_size", "CRC"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)

    assert "its entries share their bytes" in refused(made(tmp_path / "overlap.zip", add))


def test_an_entry_that_is_longer_than_it_says_is_not_read_beyond(tmp_path: Path) -> None:
    manifest = SHORT.replace('"phantom"', '"pytorch"\nmodule_file = "net.py"')
    path = made(
        tmp_path / "liar.zip",
        lambda archive: archive.writestr("net.py", bytes(100_000)),
        manifest,
        zipfile.ZIP_DEFLATED,
    )
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 100_000), struct.pack("<I", 10)))
    with (
        ArchivePackage(path) as package,
        pytest.raises(errors.InvalidModel, match=r"net\.py of .* is broken"),
    ):
        package.sha256("net.py")


def test_limits_on_number_and_sum_hold(tmp_path: Path) -> None:
    def add(archive: zipfile.ZipFile) -> None:
        for n in range(5):
            archive.writestr(f"f{n}", bytes(100))

    path = made(tmp_path / "many.zip", add)
    assert "it has 6 entries; the most are 5" in refused(path, ArchiveLimits(entries_max=5))
    assert "it would unpack to" in refused(path, ArchiveLimits(unpacked_max_bytes=500))


def test_encryption_and_rare_compression_are_refused(tmp_path: Path) -> None:
    path = made(
        tmp_path / "lzma.zip",
        lambda archive: archive.writestr("net.py", "x", compress_type=zipfile.ZIP_LZMA),
    )
    assert "is compressed in another way than deflate" in refused(path)

    def encrypt(archive: zipfile.ZipFile) -> None:
        archive.writestr("net.py", "x")
        archive.getinfo("net.py").flag_bits |= 1

    assert "is encrypted" in refused(made(tmp_path / "secret.zip", encrypt))


def test_a_broken_entry_is_told_by_name(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(FILES["net.py"])] ^= 1
    archive.write_bytes(content)
    with (
        ArchivePackage(archive) as package,
        pytest.raises(errors.InvalidModel, match=r"net\.py .* is broken"),
    ):
        package.sha256("net.py")


def test_what_is_no_package_is_told_with_what_to_do(tmp_path: Path) -> None:
    text = tmp_path / "x.segint.zip"
    text.write_text("hello")
    assert "cannot be read as a zip archive" in refused(text)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(made(tmp_path / "whole.zip", lambda archive: None).read_bytes()[:-30])
    assert "cannot be read as a zip archive" in refused(cut)
    deep, empty = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(deep, "w") as archive:
        archive.mkdir("net")
        archive.writestr(f"net/{MANIFEST}", SHORT)
    text.write_bytes(deep.getvalue())
    assert "it must lie at the top" in refused(text)
    with zipfile.ZipFile(empty, "w"):
        pass
    text.write_bytes(empty.getvalue())
    assert "so it is no package" in refused(text)
    with (
        pytest.raises(errors.InvalidModel, match="There is no file or folder"),
        open_package(tmp_path / "no"),
    ):
        pass


def test_a_manifest_that_names_what_is_not_there_is_told(folder: Path, tmp_path: Path) -> None:
    path = made(tmp_path / "less.zip", lambda archive: None, WITH_FILES)
    with ArchivePackage(path) as package, pytest.raises(errors.InvalidModel, match=r"which is not in .*less"):
        _ = package.manifest
    (folder / "net.py").unlink()
    with pytest.raises(errors.InvalidModel, match=r"names the file net\.py, which cannot be read"):
        _ = FolderPackage(folder).manifest
    (folder / "net.py").mkdir()
    with pytest.raises(errors.InvalidModel, match=r"names net\.py, which is no file"):
        _ = FolderPackage(folder).manifest


def test_an_empty_file_is_told(folder: Path) -> None:
    (folder / "net.py").write_bytes(b"")
    with pytest.raises(errors.InvalidModel, match=r"The file net\.py .* is empty"):
        _ = FolderPackage(folder).manifest


def test_a_link_may_stay_in_the_folder_but_not_lead_out_of_it(folder: Path, tmp_path: Path) -> None:
    (folder / "net.py").rename(folder / "real.py")
    (folder / "net.py").symlink_to("real.py")
    assert FolderPackage(folder).sha256("net.py")
    (folder / "net.py").unlink()
    (tmp_path / "secret").write_text("x")
    (folder / "net.py").symlink_to(tmp_path / "secret")
    with pytest.raises(errors.InvalidModel, match="leads out of the folder"):
        _ = FolderPackage(folder).manifest


def test_a_folder_without_manifest_is_told_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidModel, match="segint model init"):
        FolderPackage(tmp_path)


def test_a_model_that_is_a_folder_travels_as_one_file(tmp_path: Path) -> None:
    manifest = SHORT.replace('"phantom"', '"monai"\nmodel_file = "bundle"')
    files = {"bundle/configs/metadata.json": b"{}", "bundle/models/model.pt": b"weights"}
    folder = FolderPackage(a_folder(tmp_path / "net", manifest, files))
    write_archive(folder, tmp_path / "net.segint.zip")
    write_folder_zip(tmp_path / "net" / "bundle", tmp_path / "bundle.zip")
    with open_package(tmp_path / "net.segint.zip") as package:
        assert package.sha256("bundle") == folder.sha256("bundle")
        assert b"".join(package.chunks("bundle")) == (tmp_path / "bundle.zip").read_bytes()
        assert package.size_bytes("bundle") == folder.size_bytes("bundle")


def test_what_a_package_made_of_a_folder_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    manifest = SHORT.replace('"phantom"', '"monai"\nmodel_file = "bundle"')
    folder = FolderPackage(a_folder(tmp_path / "net", manifest, {"bundle/a": b"x"}))
    assert folder.size_bytes("bundle") > 0
    del folder
    assert list((tmp_path / "temporary").iterdir()) == []
