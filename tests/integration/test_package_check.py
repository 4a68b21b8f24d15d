from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from segint_grpc.client.phantom import write_phantom
from segint_grpc.packaging.example import MODULE, Answers, write_example
from segint_grpc.packaging.manifest import MANIFEST
from tests.integration.test_package_cli import SEGINT, here

T = TypeVar("T")

MASK = "(image >= lowest) & (image <= highest)"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What `segint model init` writes."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name, text in write_example(Answers("My Model", ["Chest"], structures=["Body"])).items():
        (folder / name).write_text(text)
    return folder


def check(*arguments: str | Path, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Run `segint model check`; its temporary files go to `temporary`."""
    return subprocess.run(
        [SEGINT, "model", "check", *map(str, arguments)],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def change(model: Path, new: str) -> None:
    path = model / MODULE
    text = path.read_text()
    assert MASK in text
    path.write_text(text.replace(MASK, new))


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="s") as folder:
        yield Path(folder)


def test_the_example_passes_its_check_without_a_server_and_leaves_nothing(model: Path, short: Path) -> None:
    done = check(model, "--json", temporary=short)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["passed"]
    assert all(step["outcome"] == "OUTCOME_PASSED" for step in report["steps"])
    assert "passed  phantom" in done.stderr
    assert list(short.iterdir()) == []


def test_a_mirrored_model_fails_with_a_sentence_that_names_the_axis(model: Path, short: Path) -> None:
    change(model, f"({MASK})[:, :, ::-1].copy()")
    done = check(model, temporary=short)
    assert done.returncode == 1
    assert "segint: My Model 1.0 failed its check." in done.stderr
    assert "left–right" in done.stderr


def test_a_model_that_crashes_fails_with_the_reason(model: Path, short: Path) -> None:
    change(model, "image[0]")
    done = check(model, temporary=short)
    assert done.returncode == 1
    assert "FAILED" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stranger_s_code_runs_only_after_a_word_from_whoever_types(model: Path, short: Path) -> None:
    archive = model.with_name("model.segint.zip")
    assert here("pack", model).exit_code == 0
    done = check(archive, temporary=short)
    assert done.returncode == 2
    assert f"segint model check {archive} --approve" in done.stderr
    assert "passed" not in done.stderr
    done = check(archive, "--approve", temporary=short)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "My Model 1.0 passed its check.\n"


def test_a_nifti_file_serves_as_the_scan_that_is_turned_about(model: Path, short: Path) -> None:
    write_phantom(model / "scan.nii.gz", (24, 64, 72))
    manifest = model / MANIFEST
    manifest.write_text(manifest.read_text().replace("# check_scan = ", "check_scan = "))
    done = check(model, temporary=short)
    assert done.returncode == 0, done.stderr
    assert "scan" in done.stderr


def test_a_manifest_that_cannot_be_checked_says_why(model: Path, short: Path) -> None:
    manifest = model / MANIFEST
    text = manifest.read_text()
    manifest.write_text(text[: text.index("[versions.runtime]")])
    done = check(model, temporary=short)
    assert done.returncode == 2
    assert "says of no version what runs it" in done.stderr


def test_a_core_that_cannot_start_is_told_in_its_own_words(
    model: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGINT_LOG_FILES", "many")
    done = check(model, temporary=short)
    assert done.returncode != 0
    assert "No core could be started for the check: " in done.stderr
    assert "log_files" in done.stderr


def test_ctrl_c_ends_the_check_its_core_and_its_folder(model: Path, short: Path) -> None:
    change(model, "__import__('time').sleep(600)")
    process = subprocess.Popen(
        [SEGINT, "model", "check", str(model)],
        env={**os.environ, "TMPDIR": str(short)},
        stderr=subprocess.DEVNULL,
    )
    core = until(lambda: next(iter(psutil.Process(process.pid).children()), None))
    until(lambda: [child for fork in core.children() for child in fork.children()])
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 1
    assert not core.is_running()
    assert list(short.iterdir()) == []


def until(found: Callable[[], T | None]) -> T:
    """Wait for what nobody tells of: another process's children."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if result := found():
            return result
        time.sleep(0.02)
    raise AssertionError("nothing came")
