"""The protos under buf's rules (buf.yaml)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.buf import BUF, ROOT, needs_buf

pytestmark = needs_buf


def buf(*arguments: str, folder: Path = ROOT) -> tuple[int, str]:
    done = subprocess.run([str(BUF), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def first_release() -> str:
    """The oldest release's tag, empty where the checkout has none."""
    listed = ["git", "tag", "--list", "v*", "--sort", "creatordate"]
    tags = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return tags[0] if tags else ""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the protos to change."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    return tmp_path


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "protos" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_our_protos_keep_bufs_rules() -> None:
    assert buf("lint") == (0, "")


def test_a_proto_that_breaks_a_rule_is_found(changed: Path) -> None:
    change(changed, "segint/v1/jobs.proto", "JobFilter filter = 1", "JobFilter Filter = 1")
    status, said = buf("lint", folder=changed)
    assert status != 0
    assert "lower_snake_case" in said


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("segint/v1/jobs.proto", "  uint32 page_size = 2;", "  uint32 page_size = 4;"),
        ("segint/v1/models.proto", "  rpc WarmUp(", "  rpc HeatUp("),
        ("radiomics/Model.proto", "string SegmentationID = 2;", "string JobID = 2;"),
    ],
)
def test_a_change_that_breaks_clients_is_found(changed: Path, name: str, old: str, new: str) -> None:
    change(changed, name, old, new)
    status, said = buf("breaking", "--against", str(ROOT), folder=changed)
    assert status != 0
    assert name in said


@pytest.mark.skipif(not first_release(), reason="nothing is released: no tag v… is in this checkout")
def test_nothing_breaks_for_those_who_use_the_first_release() -> None:
    assert buf("breaking", "--against", f".git#tag={first_release()}") == (0, "")
