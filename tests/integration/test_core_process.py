"""The core as a process of its own: `python -m segint_grpc` without `segint serve` around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def start_core(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a core that is expected to refuse; one that does not is ended after a while."""
    return subprocess.run(
        [sys.executable, "-m", "segint_grpc", "--home", str(home), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_listening_to_everybody_is_refused_before_anything_is_made(tmp_path: Path, address: str) -> None:
    refused = start_core(tmp_path / "home", "--grpc", address)
    assert refused.returncode == 2
    assert "--allow" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_an_address_that_is_none_is_refused_by_its_setting_s_name(tmp_path: Path) -> None:
    refused = start_core(tmp_path / "home", "--grpc", "localhost")
    assert refused.returncode == 2
    assert "grpc: 'localhost' is no HOST:PORT" in refused.stderr
