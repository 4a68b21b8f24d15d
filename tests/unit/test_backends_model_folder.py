"""A model that is a folder: read in its zip, and unpacked whole where it is loaded."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.backends.base import ModelSource
from segint_grpc.backends.model_folder import member_names, read_member, unpacked
from segint_grpc.zips.folder import write_folder_zip

FILES = {
    "metadata.json": b'{"a": 1}',
    "models/model.pt": bytes(range(256)) * 5000,
    "scripts/own.py": b"A = 1",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "bundle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_folder_zip(tmp_path / "bundle", tmp_path / "bundle.zip")
    return tmp_path / "bundle.zip"


def source(archive: Path, cache: Path | None) -> ModelSource:
    return ModelSource("v1", (), ("1",), model_file=archive, cache=cache)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_it_is_looked_at_without_being_unpacked(archive: Path) -> None:
    assert member_names(archive) == tuple(sorted(FILES))
    assert read_member(archive, "metadata.json", 100) == FILES["metadata.json"]
    with pytest.raises(errors.InvalidModel, match=r"There is no other\.json in bundle\.zip"):
        read_member(archive, "other.json", 100)
    with pytest.raises(errors.InvalidModel, match="has 1280000 bytes; the most are 100"):
        read_member(archive, "models/model.pt", 100)


def test_it_is_unpacked_to_the_byte_and_once(archive: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / ("a" * 64)
    folder = unpacked(source(archive, cache))
    assert folder == cache
    assert contents(folder) == FILES
    before = (folder / "models" / "model.pt").stat().st_ino
    assert unpacked(source(archive, cache)) == cache
    assert (folder / "models" / "model.pt").stat().st_ino == before
    assert [path.name for path in cache.parent.iterdir()] == ["a" * 64]


@pytest.mark.parametrize("harm", ["edited", "added", "removed", "linked"])
def test_one_that_somebody_has_touched_is_unpacked_anew(archive: Path, tmp_path: Path, harm: str) -> None:
    cache = tmp_path / "cache" / "x"
    script = unpacked(source(archive, cache)) / "scripts" / "own.py"
    if harm == "edited":
        script.write_bytes(b"A = 2")
    elif harm == "added":
        script.with_name("more.py").write_bytes(b"")
    else:
        script.unlink()
    if harm == "linked":
        (tmp_path / "own.py").write_bytes(FILES["scripts/own.py"])
        script.symlink_to(tmp_path / "own.py")
    assert contents(unpacked(source(archive, cache))) == FILES
    assert not script.is_symlink()
    assert list(cache.parent.iterdir()) == [cache]


def test_a_folder_that_all_files_share_is_cut_off(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "top.zip", "w", zipfile.ZIP_DEFLATED) as top:
        top.mkdir("bundle-1.0")
        for name, content in FILES.items():
            top.writestr(f"bundle-1.0/{name}", content)
        top.writestr("__MACOSX/bundle-1.0/._metadata.json", b"x")
    assert member_names(tmp_path / "top.zip") == tuple(sorted(FILES))
    assert contents(unpacked(source(tmp_path / "top.zip", tmp_path / "cache" / "x"))) == FILES


def test_processes_that_unpack_at_once_all_have_it_whole(archive: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "x"
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: unpacked(source(archive, cache)), range(8)))
    assert set(folders) == {cache}
    assert contents(cache) == FILES
    assert list(cache.parent.iterdir()) == [cache]


def test_equal_content_under_two_names_is_unpacked_by_one_at_a_time(archive: Path, tmp_path: Path) -> None:
    cache, twin = tmp_path / "cache" / "x", archive.with_name("twin.zip")
    twin.hardlink_to(archive)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: unpacked(source(path, cache)), [archive, twin] * 8))
    assert contents(cache) == FILES


def test_what_a_killed_process_has_unpacked_goes_with_the_next_one(archive: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "x"
    program = (
        "import os, sys, shutil; from pathlib import Path\n"
        "from segint_grpc.backends.base import ModelSource\n"
        "from segint_grpc.backends.model_folder import unpacked\n"
        "shutil.copyfileobj = lambda *files: os.kill(os.getpid(), 9)\n"
        "unpacked(ModelSource('v1', (), (), Path(sys.argv[1]), cache=Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", program, str(archive), str(cache)]
    assert subprocess.run(command, check=False).returncode == -9
    assert [path.name.endswith(".part") for path in cache.parent.iterdir()] == [True]
    assert contents(unpacked(source(archive, cache))) == FILES
    assert list(cache.parent.iterdir()) == [cache]


def test_code_in_it_leaves_nothing_behind(archive: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from segint_grpc.backends.base import ModelSource\n"
        "from segint_grpc.backends.model_folder import unpacked\n"
        "folder = unpacked(ModelSource('v1', (), (), Path(sys.argv[1]), cache=Path(sys.argv[2])))\n"
        "sys.path.insert(0, str(folder / 'scripts')); import own; print(own.A)"
    )
    command = [sys.executable, "-c", program, str(archive), str(tmp_path / "cache" / "x")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert contents(tmp_path / "cache" / "x") == FILES


def test_without_a_cache_it_lies_in_a_folder_of_its_own(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert contents(unpacked(source(archive, None))) == FILES


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out", "a\\b"])
def test_a_name_that_leads_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as bad:
        bad.writestr("fine", b"x")
        bad.writestr(name, b"x")
    for look in (member_names, lambda path: unpacked(source(path, tmp_path / "cache" / "x"))):
        with pytest.raises(errors.InvalidModel, match="has a name that is refused"):
            look(tmp_path / "x.zip")
    assert not (tmp_path / "cache").exists()


def test_what_is_no_zip_or_is_broken_is_refused(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(errors.InvalidModel, match=r"no\.zip is no folder as a zip archive"):
        member_names(tmp_path / "no.zip")
    content = bytearray(archive.read_bytes())
    content[archive.read_bytes().index(b"A = 1")] ^= 1
    archive.write_bytes(content)
    with pytest.raises(errors.InvalidModel, match=r"bundle\.zip is no folder"):
        unpacked(source(archive, tmp_path / "cache" / "x"))
    assert list((tmp_path / "cache").iterdir()) == []
