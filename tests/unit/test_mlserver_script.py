"""scripts/mlserver.sh on a machine that cannot reach pip's packages, and what it installs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
WANTED = ROOT / "tests" / "data" / "mlserver-requirements.txt"


def test_without_a_connection_it_says_that_tests_will_be_skipped(tmp_path: Path) -> None:
    for folder in ("scripts", "tests/data", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "mlserver.sh", tmp_path / "scripts")
    shutil.copy(WANTED, tmp_path / "tests" / "data")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text("#!/bin/bash\nexit 1\n")
    python.chmod(0o755)
    command = ["bash", str(tmp_path / "scripts" / "mlserver.sh")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (
        "mlserver.sh: pip could not install MLServer; the tests that need it will be skipped." in done.stderr
    )
    assert not (tmp_path / ".venv" / "mlserver" / "stamp").exists()


def test_every_version_of_it_is_pinned() -> None:
    lines = WANTED.read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert any(line.startswith("mlserver==") for line in lines)
