from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segint_grpc.client.findings import Level
from segint_grpc.client.machine_checks import check_disk
from segint_grpc.client.software_checks import check_gpu, check_versions
from segint_grpc.home import Home
from segint_grpc.settings import Settings


@pytest.mark.parametrize(("least", "level"), [(0, Level.OK), (2**60, Level.PROBLEM)])
def test_the_disk_is_measured_against_the_setting(tmp_path: Path, least: int, level: Level) -> None:
    finding = check_disk(Settings(free_disk_min_bytes=least), Home(tmp_path / "not" / "there"))
    assert finding.level is level
    assert bool(finding.next) == (level is Level.PROBLEM)


def test_the_installed_libraries_are_those_that_the_package_asks_for() -> None:
    base, *_ = check_versions()
    assert base.level is Level.OK, base


def driver(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = folder / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_driver_that_does_not_answer_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver(tmp_path, "exit 9", monkeypatch)
    finding = check_gpu()
    assert (finding.level, finding.next) == (Level.WARNING, "nvidia-smi")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this PyTorch does use a GPU")
def test_a_gpu_that_this_pytorch_cannot_use_is_a_warning_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(tmp_path, "echo NVIDIA H100, 81559 MiB, 580.65", monkeypatch)
    finding = check_gpu()
    assert (finding.level, finding.next) == (Level.WARNING, "pip install --force-reinstall torch")
    assert finding.text.startswith(
        "NVIDIA H100, 81559 MiB, 580.65, but the installed PyTorch cannot use it ("
    )
    assert "CUDA" in finding.text


def test_without_a_driver_models_run_on_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_gpu().level is Level.OK
