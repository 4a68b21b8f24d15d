"""docs/backends.md: its snippets are run, its commands read, and each file goes through its back end."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from segint_grpc import backends
from segint_grpc.backends.base import ModelSource
from segint_grpc.cli.model_versions import parse_parameter
from segint_grpc.zips.folder import write_folder_zip
from tests.nnunet_models import trained
from tests.real_models import CHANNELS, STRUCTURES, a_channel, a_scan, truth

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "backends.md").read_text()
SAMPLE = ROOT / "tests" / "data" / "ranges_back_end"


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


EXPORTS = PAGE[PAGE.index("## From your training code") : PAGE.index("## How a network wants")]
COMMANDS = [block.strip() for block in blocks("bash", EXPORTS)]


def sections() -> Iterator[str]:
    yield from re.findall(r"^### (\w+)$", EXPORTS, re.M)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's snippets have run one after the other, with a scan and its labels beside them."""
    place = tmp_path_factory.mktemp("page")
    image_kji, geometry = a_scan()
    affine = np.diag([-1, -1, 1, 1]) @ geometry.affine
    for name, values in (
        ("scan", image_kji),
        ("labels", truth(image_kji, geometry).reshape(image_kji.shape)),
    ):
        nibabel.save(
            nibabel.Nifti1Image(values.astype(np.int16).transpose(2, 1, 0), affine), place / f"{name}.nii.gz"
        )
    network, *snippets = blocks("python", EXPORTS)
    (place / "net.py").write_text(network)
    (place / "all.py").write_text("\n".join(snippets))
    trained(place)
    command = [sys.executable, "-W", "ignore", "all.py"]
    # Keras writes its settings into the home.
    places = {"KERAS_HOME": str(place), "nnUNet_results": str(place / "results")}
    environment = os.environ | places | {"KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return place


def test_every_section_has_a_command_that_names_its_back_end() -> None:
    named = [option(command, "--backend") for command in COMMANDS]
    assert named == list(sections())


def test_every_back_end_of_this_package_is_in_the_table_with_its_extra() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|\s*(\S+)\s*\|", PAGE, re.M))
    extras = {name: backends.load_backend(name).extra for name in backends.names()}
    assert rows.keys() >= extras.keys()
    assert {name: f"`segint[{extra}]`" if extra else "–" for name, extra in extras.items()} == {
        name: rows[name] for name in extras
    }


def option(command: str, name: str) -> str:
    words = shlex.split(command)
    return words[words.index(name) + 1] if name in words else ""


def as_one_file(path: Path) -> Path:
    """What the command sends: a folder becomes a zip of it."""
    if path.is_dir():
        write_folder_zip(path, path.with_suffix(".zip"))
    return path.with_suffix(".zip") if path.is_dir() else path


@pytest.mark.parametrize("command", COMMANDS, ids=list(sections()))
def test_what_a_snippet_wrote_runs_as_its_command_says(command: str, folder: Path) -> None:
    words = shlex.split(command)
    given = [words[at + 1] for at, word in enumerate(words) if word == "--parameter"]
    parameters: dict[str, Any] = dict(map(parse_parameter, given))
    module = option(command, "--module")
    source = ModelSource(
        "Two 1.0",
        STRUCTURES,
        CHANNELS,
        as_one_file(folder / option(command, "--model")),
        folder / module if module else None,
        option(command, "--entry"),
        parameters,
    )
    backend = backends.load_backend(option(command, "--backend"))
    backend.check(source)
    backend.load(source)
    image_kji, geometry = a_scan()
    made: Any = backend.predict([a_channel(image_kji, geometry)], lambda share: None)
    masks = list(made.values()) if isinstance(made, dict) else list(made)
    assert [tuple(mask.shape) for mask in masks] == [image_kji.shape] * 2


def test_the_back_end_of_another_package_is_shown_as_the_tests_have_it() -> None:
    own = (ROOT / "docs" / "own-back-end.md").read_text()
    assert blocks("python", own) == [(SAMPLE / "segint_ranges.py").read_text()]
    assert blocks("toml", own) == [(SAMPLE / "pyproject.toml").read_text()]
