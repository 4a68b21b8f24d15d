"""scripts/setup.sh on machines that lack something, and the versions that it installs."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "cksum", "dirname", "rm")
SCRIPTS = sorted([*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what setup.sh reads, and a folder `bin` with only the tools that it uses."""
    for folder in ("scripts", "segint_grpc", "bin"):
        (tmp_path / folder).mkdir()
    for name in (
        "scripts/setup.sh",
        "setup.cfg",
        "pyproject.toml",
        "constraints.txt",
        "segint_grpc/__init__.py",
    ):
        shutil.copy(ROOT / name, tmp_path / name)
    for tool in TOOLS:
        path = shutil.which(tool)
        assert path is not None
        (tmp_path / "bin" / tool).symlink_to(path)
    return tmp_path


def install(checkout: Path, name: str, text: str = "exit 0") -> None:
    path = checkout / "bin" / name
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def set_up(checkout: Path, *options: str, **variables: str) -> tuple[int, str]:
    command = ("/bin/bash", str(checkout / "scripts" / "setup.sh"), *options)
    environment = {"PATH": str(checkout / "bin"), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "  sudo apt-get update && sudo apt-get install -y python3 python3-venv"),
        ("dnf", "  sudo dnf install -y python3.12"),
        ("pacman", "  (install python3 python3-venv with your system's package manager)"),
    ],
)
def test_without_python_it_says_what_to_type(checkout: Path, manager: str, command: str) -> None:
    install(checkout, manager)
    code, said = set_up(checkout)
    assert code == 2
    assert "Python 3.11 or newer is needed" in said
    assert command in said.splitlines()


@pytest.mark.parametrize("version", ["python3.11", "python3.13"])
def test_the_python_that_it_names_is_one_that_the_system_has(checkout: Path, version: str) -> None:
    install(checkout, "apt-get")
    install(checkout, "apt-cache", f'[ "$2" = {version}-venv ]')
    _, said = set_up(checkout)
    assert f"  sudo apt-get update && sudo apt-get install -y {version} {version}-venv" in said.splitlines()


def test_a_chosen_python_that_will_not_do_is_named(checkout: Path) -> None:
    code, said = set_up(checkout, PYTHON="/nowhere/python3")
    assert code == 2
    assert "PYTHON is set to /nowhere/python3, which is no Python 3.11 or newer." in said
    assert "  unset PYTHON" in said.splitlines()


def test_where_nothing_can_be_downloaded_it_tells_of_the_proxy(checkout: Path) -> None:
    install(checkout, "mkdir", f'exec {shutil.which("mkdir")} "$@"')
    install(checkout, "cp", f'exec {shutil.which("cp")} "$@"')
    python = 'case "$*" in *print*) echo python3.11 ;; *"pip install"*) exit 1 ;; '
    install(checkout, "python3", python + '"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python ;; esac')
    code, said = set_up(checkout)
    assert code == 2
    assert "  export HTTPS_PROXY=http://PROXY:PORT" in said.splitlines()
    assert not list((checkout / ".venv").glob("setup-*"))


def test_a_python_that_is_too_old_will_not_do(checkout: Path) -> None:
    install(checkout, "python3", "exit 1")
    assert "Python 3.11 or newer is needed" in set_up(checkout)[1]


def test_without_the_module_venv_it_says_what_to_type(checkout: Path) -> None:
    install(checkout, "apt-get")
    install(checkout, "python3", 'case "$*" in *print*) echo python3.11 ;; *ensurepip*) exit 1 ;; esac')
    code, said = set_up(checkout)
    assert code == 2
    assert "  sudo apt-get update && sudo apt-get install -y python3.11-venv" in said.splitlines()


def test_an_unknown_option_is_refused(checkout: Path) -> None:
    refusal = "setup.sh: unknown option --fast; it knows --bench, --dev and --gpu\n"
    assert set_up(checkout, "--fast") == (2, refusal)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_and_stops_at_the_first_error(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert len(text.splitlines()) < 90
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_every_dependency_has_one_version() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wanted = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    names = {re.split(r"[<>=]", line)[0] for block in wanted for line in block.split()}
    assert {normal(name) for name in names} <= {normal(name) for name in pins}
    assert pins["torch"] == "2.13.0"
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values()), "no local versions"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
