"""Media files: names, publishing, removal."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import new_job_id
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.store.durable import disk_errors
from segint_grpc.store.media import Media, MediaKind
from tests.fakes.stores import make_home

WEIGHTS = FileRecord("a" * 64, "my weights (v2).pt", 3)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
def media(home: Home) -> Media:
    return Media(home)


def test_files_lie_where_users_of_the_original_know_them(media: Media, home: Home) -> None:
    job_id = new_job_id()
    assert media.body_path(job_id) == home.path / "media" / "segmentation" / f"{job_id}.pb"
    assert media.result_path(job_id) == home.path / "media" / "results" / f"{job_id}.pb"
    assert (
        media.model_file_path(WEIGHTS) == home.path / "media" / "models" / ("a" * 64) / "my weights (v2).pt"
    )
    assert media.family_path("Centered Square") == home.path / "media" / "modelfamily" / "Centered Square.pb"
    assert media.voxel_path(job_id, 1) == home.path / "cache" / "voxels" / f"{job_id}-1.raw"


@pytest.mark.parametrize("kind", list(MediaKind))
def test_a_file_has_its_name_only_once_it_is_whole(media: Media, home: Home, kind: MediaKind) -> None:
    temporary = media.temporary(kind)
    final = temporary.with_name("final")
    temporary.write_bytes(b"whole")
    media.publish(temporary, final)
    assert final.read_bytes() == b"whole"
    assert list(final.parent.iterdir()) == [final]
    assert media.temporary(kind) != media.temporary(kind)


def test_publishing_replaces_what_was_there(media: Media) -> None:
    for content in (b"old", b"new"):
        temporary = media.temporary(MediaKind.RESULT)
        temporary.write_bytes(content)
        media.publish(temporary, media.result_path("x"))
    assert media.result_path("x").read_bytes() == b"new"


def test_publishing_syncs_the_file_then_renames_it_then_syncs_the_folder(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, temporary = media.model_file_path(WEIGHTS), media.temporary(MediaKind.MODEL)
    temporary.write_bytes(b"abc")
    steps = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        steps.append((os.readlink(f"/proc/self/fd/{descriptor}"), final.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    media.publish(temporary, final)
    assert steps == [
        (str(final.parent.parent), False),
        (str(temporary), False),
        (str(final.parent), True),
    ]
    assert stat.S_IMODE(final.parent.stat().st_mode) == 0o700


def test_publishing_a_file_that_is_not_there_says_so(media: Media) -> None:
    with pytest.raises(FileNotFoundError):
        media.publish(media.temporary(MediaKind.BODY), media.body_path("x"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_is_a_full_disk(number: int) -> None:
    with pytest.raises(errors.DiskFull), disk_errors():
        raise OSError(number, os.strerror(number))


def test_another_disk_error_stays_itself() -> None:
    with pytest.raises(PermissionError), disk_errors():
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden.pt", "a/b.pt", "../x", "a\0b", "a\nb", "é.pt", "x" * 121]
)
def test_a_model_files_name_leads_nowhere_else(media: Media, name: str) -> None:
    with pytest.raises(errors.InvalidModel):
        media.model_file_path(FileRecord("a" * 64, name, 1))


@pytest.mark.parametrize("sha256", ["", "a" * 63, "A" * 64, "../" * 22])
def test_a_model_files_folder_is_its_content(media: Media, sha256: str) -> None:
    with pytest.raises(errors.InvalidModel):
        media.model_file_path(FileRecord(sha256, "w.pt", 1))


@pytest.mark.parametrize(
    "name", ["../../evil", ".hidden", "a/b", "", "Prostata 3½ – Ödem", "x" * 300, "é" * 200, "a\0b"]
)
def test_any_familys_copy_stays_in_its_folder(media: Media, home: Home, name: str) -> None:
    path = media.write_family_copy(name, b"family")
    assert path.parent == home.families
    assert path.read_bytes() == b"family"
    assert not path.name.startswith(".")
    media.remove_family_copy(name)
    media.remove_family_copy(name)
    assert list(home.families.iterdir()) == []


def test_families_whose_names_look_alike_have_copies_of_their_own(media: Media) -> None:
    names = ["a/b", "a:b", "a_b", "x" * 120, "x" * 121]
    assert len({media.family_path(name) for name in names}) == len(names)


def test_a_jobs_files_are_removed_and_no_others(media: Media) -> None:
    job_id, other = new_job_id(), new_job_id()
    paths = {}
    for owner in (job_id, other):
        paths[owner] = [
            media.body_path(owner),
            media.result_path(owner),
            media.voxel_path(owner, 0),
            media.voxel_path(owner, 1),
        ]
        for path in paths[owner]:
            path.write_bytes(b"x")
    for _ in range(2):
        media.remove_body(job_id)
        media.remove_result(job_id)
        media.remove_voxels(job_id)
    assert [path.exists() for path in paths[job_id]] == [False] * 4
    assert [path.exists() for path in paths[other]] == [True] * 4


def test_a_model_files_folder_goes_with_its_last_file(media: Media) -> None:
    twin = FileRecord(WEIGHTS.sha256, "twin.pt", 3)
    for file in (WEIGHTS, twin):
        temporary = media.temporary(MediaKind.MODEL)
        temporary.write_bytes(b"abc")
        media.publish(temporary, media.model_file_path(file))
    media.remove_model_file(WEIGHTS)
    assert media.model_file_path(twin).exists()
    for _ in range(2):
        media.remove_model_file(twin)
        assert not media.model_file_path(twin).parent.exists()


def test_free_space_is_the_disks(media: Media, home: Home) -> None:
    free = shutil.disk_usage(home.path).free
    assert abs(media.free_bytes() - free) < free * 0.2


def test_what_was_unpacked_of_a_model_goes_with_it(media: Media, home: Home) -> None:
    for name in ("first", "second"):
        path = media.model_file_path(FileRecord("b" * 64, name, 1))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    unpacked = media.unpacked_path(FileRecord("b" * 64, "first", 1))
    assert unpacked == home.path / "cache" / "models" / ("b" * 64)
    (unpacked / "models").mkdir(parents=True)
    media.remove_model_file(FileRecord("b" * 64, "first", 1))
    assert unpacked.is_dir()
    media.remove_model_file(FileRecord("b" * 64, "second", 1))
    assert not unpacked.exists()


def test_the_sweep_removes_what_was_unpacked_of_models_that_are_gone_and_half_unpacked_ones(
    media: Media, home: Home
) -> None:
    kept, gone, part = (home.unpacked / name for name in ("c" * 64, "d" * 64, ".e.part"))
    others = home.unpacked / "of somebody else"
    for folder in (kept, gone, part, others):
        (folder / "models").mkdir(parents=True)
    media.sweep((), (), [FileRecord("c" * 64, "bundle", 1)])
    assert sorted(home.unpacked.iterdir()) == sorted([kept, others])
