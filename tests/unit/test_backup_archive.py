"""The archive: a tar file that says of itself what it must be."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from segint_grpc import errors
from segint_grpc.backup.archive import FORMAT, MANIFEST, Manifest, Source, length_of, pack, unpack

CONTENT = {
    "segint.sqlite3": b"database",
    "media/models/" + "a" * 64 + "/weights v1.pt": b"w" * 2_500_000,
    "media/modelfamily/Thorax.pb": b"",
}


class Taken:
    """What a reader was given."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def receive(self, name: str) -> Iterator[BinaryIO]:
        sink = io.BytesIO()
        yield sink
        self.files[name] = sink.getvalue()


def sources(folder: Path) -> list[Source]:
    found = []
    for number, (name, content) in enumerate(CONTENT.items()):
        path = folder / str(number)
        path.write_bytes(content)
        found.append(Source(name, path, len(content)))
    return found


@pytest.fixture
def raw(tmp_path: Path) -> bytes:
    return b"".join(pack(sources(tmp_path), {"release": "1"}))


def read(raw: bytes) -> tuple[Manifest, Taken]:
    taken = Taken()
    return unpack(io.BytesIO(raw), taken.receive, lambda count: None), taken


def tar(entries: Sequence[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), kind
            info.linkname = "elsewhere" if kind == tarfile.SYMTYPE else ""
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_what_was_packed_comes_back(raw: bytes, tmp_path: Path) -> None:
    manifest, taken = read(raw)
    assert taken.files == CONTENT
    assert manifest.facts == {"release": "1"}
    assert [entry.name for entry in manifest.entries] == list(CONTENT)
    assert 0 <= length_of(sources(tmp_path)) - len(raw) < 100_000


def test_any_tar_reads_it_and_its_manifest_names_the_sums(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "backup.tar").write_bytes(raw)
    subprocess.run(["tar", "xf", "backup.tar"], cwd=tmp_path, check=True)
    told = json.loads((tmp_path / MANIFEST).read_text())
    assert told["format"] == FORMAT
    for entry in told["entries"]:
        assert hashlib.sha256((tmp_path / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("length", [0, 100, 512, 1000, 5000, 1_000_000, 2_503_000])
def test_a_cut_archive_is_found(raw: bytes, length: int) -> None:
    with pytest.raises(errors.BrokenArchive):
        read(raw[:length])


def test_a_changed_byte_is_found_with_the_name_of_its_file(raw: bytes) -> None:
    place = raw.index(b"database")
    with pytest.raises(errors.BrokenArchive, match=r"segint\.sqlite3 is not what"):
        read(raw[:place] + b"D" + raw[place + 1 :])


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/passwd",
        "media/segmentation/../../x",
        "logs/core.log",
        "media/models/a/w.pt",
        "secrets",
    ],
)
def test_a_name_that_is_no_part_of_a_home_is_refused(name: str) -> None:
    with pytest.raises(errors.BrokenArchive, match="no part of a home"):
        read(tar([(name, b"x")]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_is_refused(kind: bytes) -> None:
    with pytest.raises(errors.BrokenArchive, match="does not belong there"):
        read(tar([("segint.toml", b"")], kind))


def test_a_file_that_comes_twice_is_refused() -> None:
    with pytest.raises(errors.BrokenArchive, match=r"segint\.toml.*does not belong there"):
        read(tar([("segint.toml", b"a"), ("segint.toml", b"a")]))


def test_a_file_that_grows_while_it_is_unpacked_is_refused() -> None:
    info = tarfile.TarInfo("segint.sqlite3")
    sparse = {"major": "0", "minor": "1", "name": info.name, "map": "0,0", "size": str(2**40)}
    info.pax_headers = {f"GNU.sparse.{name}": value for name, value in sparse.items()}
    with pytest.raises(errors.BrokenArchive, match="does not belong there"):
        read(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))


@pytest.mark.parametrize(
    "manifest",
    [
        b"{}",
        b"no json",
        b'{"format": "segint-backup-9", "entries": []}',
        b'{"format": 1, "entries": [{"x": 1}]}',
        b'{"format": "segint-backup-1", "entries": [{"name": [], "size_bytes": 1, "sha256": ""}]}',
        b"[" * 200_000,
    ],
)
def test_a_manifest_that_is_none_is_refused(manifest: bytes) -> None:
    with pytest.raises(errors.BrokenArchive):
        read(tar([(MANIFEST, manifest)]))


def test_a_missing_and_an_additional_file_are_found() -> None:
    nothing = json.dumps({"format": FORMAT, "entries": []}).encode()
    with pytest.raises(errors.BrokenArchive, match="was changed"):
        read(tar([("segint.toml", b"x"), (MANIFEST, nothing)]))
    missing = {"name": "segint.toml", "size_bytes": 1, "sha256": "0" * 64}
    with pytest.raises(errors.BrokenArchive, match=r"lacks 'segint\.toml'"):
        read(tar([(MANIFEST, json.dumps({"format": FORMAT, "entries": [missing]}).encode())]))
    with pytest.raises(errors.BrokenArchive, match="does not belong"):
        read(tar([(MANIFEST, nothing), ("segint.toml", b"x")]))
