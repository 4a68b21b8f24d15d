"""Finding back ends by entry point, and the phantom."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segint_grpc import backends, errors
from segint_grpc.backends.base import Channel, ModelSource, StructureSpec
from segint_grpc.backends.phantom import Phantom, box
from tests.fakes.worker_bench import geometry


def test_the_back_ends_of_this_package_are_installed() -> None:
    assert {"phantom", "pytorch"} <= set(backends.names())
    for name in backends.names():
        assert backends.load_backend(name).summary


def test_the_extra_of_each_back_end_is_one_that_every_pip_finds() -> None:
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    extras = set(config["options.extras_require"])
    # pip before 23.3 does not find one that is not written as PEP 685 normalises it.
    assert [extra for extra in extras if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", extra)] == []
    ours = {name: backends.load_backend(name).extra for name in backends.names()}
    assert {name: extra for name, extra in ours.items() if extra and extra not in extras} == {}


def test_an_unknown_back_end_is_refused_with_the_known_ones_named() -> None:
    with pytest.raises(errors.InvalidModel, match=r"no back end 'caffe'.*phantom, pytorch"):
        backends.load_backend("caffe")


def test_asking_and_checking_loads_no_torch(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("class Net: pass\n")
    program = (
        "import sys, pathlib; from segint_grpc import backends;"
        "from segint_grpc.backends.base import ModelSource;"
        "source = ModelSource('v', (), ('1',), module_file=pathlib.Path(sys.argv[1]));"
        "[backends.load_backend(name) for name in backends.names()];"
        "backends.load_backend('pytorch').check(source); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "net.py")], check=True)


@pytest.mark.parametrize(
    ("shape_kji", "slices", "rows", "columns"),
    [
        ((40, 512, 400), (10, 29), (226, 285), (170, 229)),
        ((41, 61, 60), (10, 29), (0, 59), (0, 59)),
        ((8, 20, 16), (2, 5), (0, 19), (0, 15)),
        ((3, 100, 100), (0, 0), (20, 79), (20, 79)),
        ((1, 1, 1), (0, 0), (0, 0), (0, 0)),
    ],
)
def test_the_box_is_the_contracts(
    shape_kji: tuple[int, int, int], slices: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    filled = np.argwhere(box(shape_kji))
    assert [tuple(edge) for edge in zip(filled.min(0), filled.max(0), strict=True)] == [slices, rows, columns]
    spans = [last - first + 1 for first, last in (slices, rows, columns)]
    assert len(filled) == np.prod(spans)


def test_the_phantom_draws_one_box_for_each_structure_on_its_channels_grid() -> None:
    phantom = Phantom()
    specs = (StructureSpec("a", "A", "ct"), StructureSpec("b", "B", "pet"))
    phantom.load(ModelSource("v", specs, ("ct", "pet")))
    shapes = {"ct": (8, 9, 10), "pet": (4, 5, 6)}
    channels = [Channel(name, np.zeros(shape, np.int16), geometry(shape)) for name, shape in shapes.items()]
    shares: list[float] = []
    made = phantom.predict(channels, shares.append)
    assert isinstance(made, dict)
    assert {name: mask.shape for name, mask in made.items()} == {"a": (8, 9, 10), "b": (4, 5, 6)}
    assert shares == [0.5, 1.0]


def test_the_phantom_refuses_to_stand_in_for_a_model() -> None:
    with pytest.raises(errors.InvalidModel, match="takes no files"):
        Phantom().check(ModelSource("v", (), ("1",), model_file=Path("w.pt")))
