"""What holds for every back end that is installed, those of other packages included."""

from __future__ import annotations

import importlib
import pickle
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc import backends, errors
from segint_grpc.backends.base import BackEnd, ModelSource
from tests.real_models import (
    BUILDERS,
    CHANNELS,
    STRUCTURES,
    RealModel,
    a_channel,
    a_scan,
    batch_of,
    built,
    net,
)

LIBRARIES = {
    "keras": "keras",
    "monai": "monai",
    "nnunet": "nnunetv2",
    "onnx": "onnxruntime",
    "open_inference": "urllib3",
    "pytorch": "torch",
    "sklearn": "skops",
    "tensorflow": "tensorflow",
    "torch_export": "torch",
    "torchscript": "torch",
    "xgboost": "xgboost",
}
"""What each back end of this package cannot do without."""

TAKE_NO_FILE = {"phantom", "open_inference"}
WITH_A_FILE = sorted(set(LIBRARIES) - TAKE_NO_FILE)
SUFFIXES = {"keras": ".keras", "onnx": ".onnx", "sklearn": ".skops", "xgboost": ".ubj"}
"""Of what carries no code."""
VOXEL_WISE = ("sklearn", "xgboost")

ALL = backends.names()
VERBS = ("check", "carries_code", "load", "predict")


def opened(name: str, source: ModelSource) -> BackEnd:
    backend = backends.load_backend(name)
    backend.check(source)
    backend.load(source)
    return backend


def loaded(model: RealModel) -> BackEnd:
    return opened(model.backend, model.source)


def stack(made: Any) -> NDArray[np.bool_]:
    """The masks, as the worker's check would take them."""
    if isinstance(made, dict):
        made = [made[structure.structure_id] for structure in STRUCTURES]
    return np.stack([np.asarray(mask) for mask in made]).astype(bool)


@pytest.mark.parametrize("name", ALL)
def test_a_back_end_has_the_verbs_a_sentence_and_an_extra(name: str) -> None:
    backend = backends.load_backend(name)
    assert all(callable(getattr(backend, verb)) for verb in VERBS)
    assert backend.summary.endswith(".")
    assert "\n" not in backend.summary
    assert isinstance(backend.extra, str)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_missing_library_is_said_with_the_extra_that_brings_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = built(name)
    monkeypatch.setitem(sys.modules, LIBRARIES[name], None)
    extra = backends.load_backend(name).extra
    with pytest.raises(errors.InvalidModel, match=rf"segint\[{extra}\]"):
        backends.load_backend(name).check(model.source)


@pytest.mark.parametrize("name", sorted(set(ALL) - TAKE_NO_FILE))
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    backend = backends.load_backend(name)
    with pytest.raises(errors.InvalidModel, match=r"away\.bin"):
        backend.check(ModelSource("v", STRUCTURES, CHANNELS, tmp_path / "away.bin"))
    with pytest.raises(errors.InvalidModel, match="file"):
        backend.check(ModelSource("v", STRUCTURES, CHANNELS))


@pytest.mark.parametrize("content", [b"", b"this is no model", b"{" * 300, b"\x80\x05."])
@pytest.mark.parametrize("name", WITH_A_FILE)
def test_a_wrong_file_is_refused_by_name(name: str, content: bytes, tmp_path: Path) -> None:
    model = built(name)
    path = tmp_path / f"wrong{model.model_file.suffix}"
    path.write_bytes(content)
    wrong = ModelSource("v", STRUCTURES, CHANNELS, path, model.module_file, model.entry, model.parameters)
    with pytest.raises(errors.InvalidModel, match="wrong"):
        opened(name, wrong)


@pytest.mark.parametrize("name", WITH_A_FILE)
def test_a_file_that_was_cut_short_is_refused_and_not_run(name: str, tmp_path: Path) -> None:
    model = built(name)
    whole = model.model_file.read_bytes()
    path = tmp_path / model.model_file.name
    path.write_bytes(whole[: len(whole) * 2 // 3])
    cut = ModelSource("v", STRUCTURES, CHANNELS, path, model.module_file, model.entry, model.parameters)
    with pytest.raises(errors.InvalidModel):
        opened(name, cut)


class Bomb:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, (f"open({str(self.marker)!r}, 'w').close()",))


@pytest.mark.parametrize("name", ALL)
def test_whether_a_file_carries_code_is_told_without_running_any(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(marker))
    (tmp_path / "bomb.pkl").write_bytes(bomb)
    with zipfile.ZipFile(tmp_path / "bomb.pt2", "w") as archive:
        archive.writestr("m/models/model.json", "{}")
        archive.writestr("m/data/sample_inputs/model.pt", bomb)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w") as archive:
        archive.writestr("m/data.pkl", bomb)
        archive.writestr("m/constants.pkl", bomb)
    backend = backends.load_backend(name)
    answers = [backend.carries_code(path) for path in sorted(tmp_path.glob("bomb*"))]
    assert all(isinstance(answer, bool) for answer in answers)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["tensorflow", "torchscript", "torch_export"])
def test_what_may_run_code_is_told_from_what_is_never_loaded(name: str, tmp_path: Path) -> None:
    backend = backends.load_backend(name)
    assert backend.carries_code(built(name).model_file)
    (tmp_path / "other.pt").write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    assert not backend.carries_code(tmp_path / "other.pt")
    with pytest.raises(errors.InvalidModel, match=r"other\.pt is no "):
        backend.load(ModelSource("v", STRUCTURES, CHANNELS, tmp_path / "other.pt"))
    assert not (tmp_path / "ran").exists()


def test_a_compiled_library_is_refused_as_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as archive:
        archive.writestr("net/data/aotinductor/model/net.so", b"\x7fELF")
    backend = backends.load_backend("torch_export")
    assert backend.carries_code(tmp_path / "net.pt2")
    with pytest.raises(errors.InvalidModel, match="a compiled library"):
        backend.check(ModelSource("v", STRUCTURES, CHANNELS, tmp_path / "net.pt2"))


@pytest.mark.parametrize("name", sorted({"keras", "onnx", "sklearn", "xgboost"}))
def test_a_file_that_is_said_to_carry_no_code_runs_none_when_it_is_loaded(name: str, tmp_path: Path) -> None:
    marker, suffix = tmp_path / "ran", SUFFIXES[name]
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(pickle.dumps(Bomb(marker)))
    parameters = {"features": ["intensity"]} if name in VOXEL_WISE else {}
    source = ModelSource("v", STRUCTURES, CHANNELS, path, parameters=parameters)
    backend = backends.load_backend(name)
    assert not backend.carries_code(path)
    with pytest.raises(errors.InvalidModel):
        backend.check(source)
    with pytest.raises(errors.InvalidModel):
        backend.load(source)
    assert not marker.exists()


@pytest.mark.parametrize("stored_in_lps", [True, False])
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_masks_are_those_of_a_bare_script_and_come_again(name: str, stored_in_lps: bool) -> None:
    model = built(name)
    image_kji, geometry = a_scan(stored_in_lps=stored_in_lps)
    backend = loaded(model)
    channel = a_channel(image_kji, geometry)
    shares: list[float] = []
    masks = stack(backend.predict([channel], shares.append))
    np.testing.assert_array_equal(masks, model.bare(image_kji, geometry))
    assert 0.01 < masks.mean() < 0.99
    for _ in range(2):
        np.testing.assert_array_equal(stack(backend.predict([channel], shares.append)), masks)
    assert all(0 <= share <= 1 for share in shares)
    np.testing.assert_array_equal(channel.image_kji, image_kji)


@pytest.mark.parametrize("name", ["torchscript", "torch_export", "onnx", "keras", "tensorflow"])
def test_the_same_weights_agree_in_every_format_but_for_rounding(name: str) -> None:
    """A mask may differ where the network's score is within 1e-4 of its threshold; scores are of order 1."""
    image_kji, geometry = a_scan()
    masks = stack(loaded(built(name)).predict([a_channel(image_kji, geometry)], lambda share: None))
    scores = net().layers(batch_of(image_kji) / 500)[0].detach().numpy()
    assert not np.any((masks != (scores > 0)) & (np.abs(scores) > 1e-4))


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_another_size_of_scan_goes_through_the_same_model(name: str) -> None:
    geometry = a_scan()[1]
    shape_kji = (5, 13, 31)
    image_kji = np.random.default_rng(8).integers(-900, 1200, shape_kji).astype(np.int16)
    geometry = type(geometry)(shape_kji, *list(vars(geometry).values())[1:])
    masks = stack(loaded(built(name)).predict([a_channel(image_kji, geometry)], lambda share: None))
    assert masks.shape == (2, *shape_kji)


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - {"pytorch"}))
def test_a_parameter_or_file_that_has_no_use_is_refused(name: str, tmp_path: Path) -> None:
    model = built(name)
    backend = backends.load_backend(name)
    odd = ModelSource(
        "v", STRUCTURES, CHANNELS, model.model_file, parameters={**model.parameters, "colour": 1}
    )
    with pytest.raises(errors.InvalidModel, match=r"no parameter 'colour'; it has "):
        backend.check(odd)
    module = tmp_path / "net.py"
    with pytest.raises(errors.InvalidModel, match=r"net\.py"):
        backend.check(ModelSource("v", STRUCTURES, CHANNELS, model.model_file, module))
    with pytest.raises(errors.InvalidModel, match="entry"):
        backend.check(ModelSource("v", STRUCTURES, CHANNELS, model.model_file, None, "Net"))


@pytest.mark.parametrize("file", ["predict_net.pb", "init_net.pb", "unet_init.pb", "net.caffemodel"])
@pytest.mark.parametrize("name", WITH_A_FILE)
def test_caffe2_s_files_are_refused_with_the_way_out(name: str, file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(b"\n\x04unet")
    with pytest.raises(errors.InvalidModel, match=r"Caffe2.*ONNX"):
        backends.load_backend(name).check(ModelSource("v", STRUCTURES, CHANNELS, tmp_path / file))


def test_caffe2_itself_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        errors.InvalidModel, match=r"no back end 'Caffe2' here; installed are .*ONNX, and name"
    ):
        backends.load_backend("Caffe2")


@pytest.mark.parametrize("name", ["", "theano", "Phantom"])
def test_an_unknown_or_missing_back_end_is_an_error_that_lists_what_is_here(name: str) -> None:
    with pytest.raises(errors.InvalidModel, match=r"There is no back end .*onnx, .*phantom, pytorch"):
        backends.load_backend(name)


def test_asking_and_checking_imports_no_back_end_s_library() -> None:
    sources = {name: str(built(name).model_file) for name in WITH_A_FILE}
    program = (
        "import sys, pathlib; from segint_grpc import backends\n"
        "from segint_grpc.backends.base import ModelSource, StructureSpec\n"
        f"for name, path in {sources!r}.items():\n"
        "    backend = backends.load_backend(name)\n"
        f"    features = {{'features': ['intensity']}} if name in {VOXEL_WISE!r} else {{}}\n"
        "    path = pathlib.Path(path)\n"
        "    backend.check(ModelSource('v', (), ('1',), path, parameters=features))\n"
        "    backend.carries_code(path)\n"
        f"loaded = {{'scipy', 'numpy.random', *{set(LIBRARIES.values())!r}}} & set(sys.modules)\n"
        "assert not loaded - {'numpy.random'}, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_random_numbers_are_sown_alike_before_every_job() -> None:
    torch = importlib.import_module("torch")
    seeds = importlib.import_module("segint_grpc.backends.seeds")

    def drawn() -> tuple[float, float, float]:
        seeds.sow()
        return random.random(), float(np.random.random()), float(torch.rand(1))

    assert drawn() == drawn()
