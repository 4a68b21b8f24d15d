"""scripts/buf.sh on a machine without npm, or without a way to npm's packages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the script, and a folder `bin` with only the tools that it uses."""
    for folder in ("scripts", "bin"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "scripts" / "buf.sh", tmp_path / "scripts")
    for tool in ("bash", "dirname", "mkdir"):
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def run(checkout: Path) -> tuple[int, str]:
    command = ("/bin/bash", str(checkout / "scripts" / "buf.sh"))
    environment = {"PATH": str(checkout / "bin")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_without_npm_it_says_that_tests_will_be_skipped(checkout: Path) -> None:
    assert run(checkout) == (0, "buf.sh: npm is not installed; the tests that need buf will be skipped.\n")


def test_without_a_connection_it_says_that_tests_will_be_skipped(checkout: Path) -> None:
    npm = checkout / "bin" / "npm"
    npm.write_text("#!/bin/bash\necho no connection >&2\nexit 1\n")
    npm.chmod(0o755)
    status, said = run(checkout)
    assert status == 0
    assert said.splitlines()[0] == "no connection"
    assert "skipped" in said
