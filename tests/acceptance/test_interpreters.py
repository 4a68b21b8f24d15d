"""A group's own environment beside ours, through the whole server."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from segint_grpc.cli.main import main
from tests.acceptance.serving import SEGINT, Server, run_segint, serving
from tests.acceptance.velocity import SAMPLE, Velocity, channel, mask_kji, scan
from tests.fakes.group_environment import ABOVE_100, make_environment

MANIFEST = """\
format = 1

[family]
canonical_name = "Groups"
name = "Group's"
body_parts = ["Chest"]

[[channels]]
id = "1"
modalities = ["CT"]

[[versions]]
id = "Group 1"
number = "1.0"

[[versions.structures]]
id = "1"
name = "Above 100"
color = "#ff7800"

[versions.runtime]
backend = "grouped"
interpreter = "group"
module_file = "net.py"
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("group") / "environment")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    (folder / "segint-model.toml").write_text(MANIFEST)
    (folder / "net.py").write_text(textwrap.dedent(ABOVE_100))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, python: Path, package: Path) -> Iterator[Server]:
    setting = f"group={python},gone={python.parent}/nothing"
    with serving(tmp_path_factory.mktemp("interpreters") / "home", interpreters=setting, slots=1) as running:
        running.segint("model", "push", str(package), "--approve", "--activate")
        yield running


def refused(server: Server, *words: str) -> str:
    command = [SEGINT, *words, "--home", str(server.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_a_model_of_a_group_s_own_environment_gives_its_masks_over_http(server: Server) -> None:
    image = np.random.default_rng(5).integers(-1000, 1000, (5, 24, 18)).astype(np.int16)
    for _ in range(2):
        output = Velocity(server.url).segment(scan(channel(image)).SerializeToString(), "Group 1")
        assert np.array_equal(mask_kji(output.Channels[0]), image > 100)
        image = image[::-1].copy()


def test_it_is_shown_and_pulled_with_its_interpreter(server: Server, tmp_path: Path) -> None:
    assert "grouped (interpreter group) net.py" in server.segint("model", "get", "Groups")
    server.segint("model", "pull", "Groups", "--out", str(tmp_path / "g.segint.zip"))
    assert "runs so already" in pushed_again(server, tmp_path / "g.segint.zip")


def pushed_again(server: Server, package: Path) -> str:
    command = [SEGINT, "model", "push", str(package), "--home", str(server.home)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stderr


def test_a_name_that_no_setting_has_is_refused_with_those_that_there_are(server: Server) -> None:
    said = refused(server, "model", "set", "Group 1", "--backend", "phantom", "--interpreter", "grop")
    assert "no interpreter 'grop' here; there is gone, group." in said
    assert "SEGINT_INTERPRETERS=NAME=/path/to/bin/python" in said


def test_an_interpreter_that_is_missing_or_lacks_a_library_is_told_when_it_is_set(server: Server) -> None:
    said = refused(server, "model", "set", "Group 1", "--backend", "phantom", "--interpreter", "gone")
    assert "The interpreter gone" in said
    said = refused(server, "model", "set", "Group 1", "--backend", "onnx", "--interpreter", "group")
    assert "The back end onnx cannot work in the interpreter group (onnxruntime is not installed)" in said
    assert "-m pip install 'onnxruntime>=1.21' 'scipy>=1.14'" in said


def test_a_version_whose_interpreter_the_setting_has_lost_is_not_offered_and_comes_back(
    tmp_path: Path, python: Path, package: Path
) -> None:
    home = tmp_path / "home"
    image = np.zeros((3, 8, 8), np.int16)
    with serving(home, interpreters=f"group={python}") as server:
        server.segint("model", "push", str(package), "--approve", "--activate", "--force")
    with serving(home) as server:
        assert "There is no interpreter 'group' here; there is none." in server.segint("model", "list")
        Velocity(server.url).segment(scan(channel(image)).SerializeToString(), SAMPLE)
    with serving(home, interpreters=f"group={python}") as server:
        Velocity(server.url).segment(scan(channel(image)).SerializeToString(), "Group 1")


def test_a_folder_is_checked_in_the_interpreters_of_the_home(
    tmp_path: Path, python: Path, package: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "segint.toml").write_text(f'[interpreters]\ngroup = "{python}"\n')
    assert "Group 1 passed its check." in run_segint("model", "check", str(package), home=home)


def test_the_doctor_tells_of_each_interpreter(tmp_path: Path, python: Path) -> None:
    variables = {"SEGINT_INTERPRETERS": f"group={python},gone=/nowhere/python"}
    said = CliRunner(env=variables).invoke(main, ["doctor", "--home", str(tmp_path / "home")]).output
    assert f"group ({python}) is Python 3." in said
    assert "with numpy " in said
    assert "The interpreter gone (/nowhere/python) cannot run models: No such file or directory" in said
