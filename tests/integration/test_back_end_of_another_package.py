"""A back end that another package brings: found by its entry point and bound by the same contract."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packages import SHORT, a_folder

SAMPLE = Path(__file__).parents[1] / "data" / "ranges_back_end"
CONTRACT = Path(__file__).parents[1] / "unit" / "test_backends_contract.py"
SEGINT = str(Path(sys.executable).parent / "segint")

MANIFEST = SHORT.replace('backend = "phantom"', 'backend = "ranges"\nmodel_file = "ranges.json"')


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of programs that have the sample package, as pip would lay it down."""
    place = tmp_path / "site"
    project = tomllib.loads((SAMPLE / "pyproject.toml").read_text())["project"]
    facts = place / f"segint_ranges-{project['version']}.dist-info"
    facts.mkdir(parents=True)
    shutil.copy(SAMPLE / "segint_ranges.py", place)
    (facts / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (facts / "entry_points.txt").write_text("\n".join(lines))
    return os.environ | {"PYTHONPATH": str(place), "TMPDIR": "/tmp"}


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_segint_model_check_is_its_test(environment: dict[str, str], tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "model", MANIFEST, {"ranges.json": b'{"liver": [-150, 250]}'})
    done = run(environment, SEGINT, "model", "check", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["passed"]


def test_what_is_wrong_with_it_is_found_by_its_check(environment: dict[str, str], tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "model", MANIFEST, {"ranges.json": b'{"spleen": [-150, 250]}'})
    done = run(environment, SEGINT, "model", "check", str(folder))
    assert done.returncode == 1
    assert "StructureIDs spleen" in done.stderr + done.stdout


def test_the_contract_of_back_ends_holds_for_it(environment: dict[str, str]) -> None:
    done = run(
        environment,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "ranges",
        str(CONTRACT),
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
