"""The demo, as `scripts/demo.sh` starts it once everything is installed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import pytest

from segint_grpc.client.phantom import write_phantom

ROOT = Path(__file__).parents[2]
STRUCTURES = ("Body", "Lungs_and_gas", "Bone_and_contrast", "Soft_tissue")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    write_phantom(path, (12, 48, 64))
    return path


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short path, since a home with its socket is made in it."""
    with tempfile.TemporaryDirectory(prefix="segint-") as path:
        yield Path(path)


def test_it_prints_where_masks_and_picture_are_and_leaves_nothing_else_behind(
    scan: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    command = (sys.executable, str(ROOT / "scripts" / "demo.py"), str(scan), "--out", str(tmp_path / "out"))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    names = [*(f"{name}.nii.gz" for name in STRUCTURES), "overlay.png"]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert list(temporary.iterdir()) == []
    assert "ms" in done.stderr
    load: Any = nibabel.load
    masks = {name: load(tmp_path / "out" / f"{name}.nii.gz") for name in STRUCTURES}
    assert {mask.shape for mask in masks.values()} == {load(scan).shape}
    assert masks["Body"].get_fdata().sum() > masks["Lungs_and_gas"].get_fdata().sum() > 0


def test_without_a_usable_scan_it_says_so_and_stops_its_server(tmp_path: Path) -> None:
    command = (sys.executable, str(ROOT / "scripts" / "demo.py"), str(tmp_path / "nothing.nii.gz"))
    out = ("--out", str(tmp_path / "out"))
    done = subprocess.run((*command, *out), capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 2
    assert "There is no file or folder" in done.stderr
    assert done.stderr.endswith("The server is stopped.\n")
