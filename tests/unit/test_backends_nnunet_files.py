"""What is wrong with an nnU-Net or its parameters is named, and how nnunetv2 is kept in bounds."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segint_grpc import backends, errors
from segint_grpc.backends.base import ModelSource, StructureSpec
from segint_grpc.backends.nnunet_environment import prepared_environment
from segint_grpc.backends.nnunet_labels import wanted_labels
from tests.nnunet_sources import CASCADE, FULLRES, LPS, copied, edit, opened, source, two_folds
from tests.real_models import STRUCTURES, a_channel, a_scan

SCAN = a_scan()


@pytest.fixture
def model() -> Path:
    return two_folds()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copied(tmp_path)


def masks(made: ModelSource) -> Any:
    return opened(made).predict([a_channel(*SCAN)], lambda share: None)


def labelled(model: Path, labels: Any, structures: Sequence[StructureSpec] = STRUCTURES) -> Any:
    return masks(source(model, {"labels": labels, **LPS}, structures))


def test_labels_may_be_given_by_number_by_name_and_as_a_union(model: Path) -> None:
    plain = labelled(model, {})
    odd = (
        StructureSpec("A", "Alpha", "1"),
        StructureSpec("B", "Beta", "1"),
        StructureSpec("bright", "x", "1"),
    )
    made = labelled(model, {"A": 2, "B": [1, 2]}, odd)
    np.testing.assert_array_equal(made["A"], plain["left"])
    np.testing.assert_array_equal(made["B"], plain["left"] | plain["bright"])
    np.testing.assert_array_equal(made["bright"], plain["bright"])
    np.testing.assert_array_equal(labelled(model, {"bright": "left"})["bright"], plain["left"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"heart": 1}, r"must give labels for structures \(bright, left\)"),
        ([1, 2], "must give labels for structures"),
        ({"left": 9}, r"no label 9, which .* gives to left; it has bright \(1\), left \(2\)"),
        ({"left": "heart"}, "no label 'heart'"),
        ({"left": []}, r"no label \[\]"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Any, message: str, model: Path) -> None:
    with pytest.raises(errors.InvalidModel, match=message):
        labelled(model, labels)


def test_a_name_that_could_be_two_labels_is_refused_and_the_very_name_is_not() -> None:
    known = {"GTV+": (1,), "GTV-": (2,), "Печень": (3,)}
    exact = (StructureSpec("GTV+", "GTV", "1"), StructureSpec("liver", "ПЕЧЕНЬ", "1"))
    found = wanted_labels(ModelSource("v", exact, ("1",)), known)
    assert found == {"GTV+": (1,), "liver": (3,)}
    with pytest.raises(errors.InvalidModel, match="has no label for the structure gtv"):
        wanted_labels(ModelSource("v", (StructureSpec("gtv", "GTV", "1"),), ("1",)), known)


def test_a_structure_that_the_model_does_not_know_is_named_with_what_it_knows(model: Path) -> None:
    heart = (*STRUCTURES, StructureSpec("HEART", "Heart", "1"))
    with pytest.raises(
        errors.InvalidModel, match=r"HEART \(Heart\); it has bright, left\. .*parameter labels"
    ):
        backends.load_backend("nnunet").check(source(model, LPS, heart))


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def change_json(name: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / name, **changes)


@pytest.mark.parametrize(
    ("change", "parameters", "message"),
    [
        (remove("dataset.json"), {}, r"no nnU-Net v2 model: it lacks dataset\.json\. Name the folder"),
        (remove("plans.json"), {}, r"it lacks plans\.json"),
        (lambda folder: shutil.rmtree(folder / "fold_0"), {"folds": [0]}, r"lacks fold_0/checkpoint_final"),
        (
            remove("fold_0/checkpoint_final.pth", "fold_1/checkpoint_final.pth"),
            {},
            r"it lacks fold_0/checkpoint_final\.pth",
        ),
        (
            lambda folder: None,
            {"checkpoint": "checkpoint_best.pth"},
            r"lacks fold_0/checkpoint_best\.pth; it has",
        ),
        (lambda folder: (folder / "plans.json").write_text("{"), {}, r"plans\.json is no valid JSON"),
        (lambda folder: (folder / "plans.json").write_text("[]"), {}, r"plans\.json must hold an object"),
        (change_json("plans.json", configurations=[]), {}, r'plans\.json lacks "configurations"'),
        (
            change_json("plans.json", image_reader_writer="NaturalImage2DIO"),
            {},
            "files that NaturalImage2DIO reads",
        ),
        (change_json("plans.json", image_reader_writer="Tiff3DIO"), {}, "Tiff3DIO reads; SegInt knows"),
        (change_json("dataset.json", channel_names=None), {}, 'lacks "channel_names"'),
        (change_json("dataset.json", labels={"0": "background"}), {}, 'lacks "labels" as nnU-Net v2'),
        (change_json("dataset.json", labels={"background": 0, "left": "a"}), {}, "the label 'left' is 'a'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    change: Callable[[Path], Any], parameters: Mapping[str, Any], message: str, copy: Path
) -> None:
    change(copy)
    # As its own export has it: with the folder's name, and one above.
    with pytest.raises(errors.InvalidModel, match=message):
        backends.load_backend("nnunet").check(source(copy.parent, {**parameters, **LPS}))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"configuration": 3}, "configuration must be a name"),
        ({"checkpoint": "../x.pth"}, "checkpoint must be a name"),
        ({"folds": "first"}, 'folds must be a list of numbers or "all"'),
        ({"folds": [True]}, "folds must be a list of numbers"),
        ({"folds": [-1]}, "folds must be a list of numbers"),
        ({"tile_step_size": 0}, "tile_step_size must be a share of the tile between 0.1 and 1"),
        ({"tile_step_size": True}, "tile_step_size must be"),
        ({"mirroring": 1}, "mirroring must be true or false"),
        ({"orientation": "LPP"}, "orientation must say where columns, rows and slices"),
        ({"orientation": 1}, "orientation must say"),
        ({"device": "gpu"}, "device must be"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(
    parameters: Mapping[str, Any], message: str, model: Path
) -> None:
    with pytest.raises(errors.InvalidModel, match=message):
        backends.load_backend("nnunet").check(source(model, parameters))


def test_a_reader_that_turns_scans_itself_takes_no_orientation(copy: Path) -> None:
    edit(copy / "plans.json", image_reader_writer="NibabelIOWithReorient")
    with pytest.raises(
        errors.InvalidModel, match="turns every scan to RAS; leave the parameter orientation out"
    ):
        backends.load_backend("nnunet").check(source(copy))


def with_cascade(folder: Path) -> Path:
    """A configuration beside `folder` that starts from the masks of another."""
    configurations = json.loads((folder / "plans.json").read_text())["configurations"]
    configurations["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    edit(folder / "plans.json", configurations=configurations)
    return Path(shutil.copytree(folder, folder.with_name(CASCADE)))


def test_of_several_configurations_one_is_chosen_and_a_cascade_is_refused_by_name(copy: Path) -> None:
    with_cascade(copy)
    backend = backends.load_backend("nnunet")
    with pytest.raises(
        errors.InvalidModel, match=r"holds the configurations 3d_cascade_fullres, 3d_fullres; say with"
    ):
        backend.check(source(copy.parent))
    for name in ("3d_cascade_fullres", CASCADE):
        with pytest.raises(
            errors.InvalidModel,
            match=r"3d_cascade_fullres is a cascade, .* of 3d_lowres\. .*export 3d_fullres",
        ):
            backend.check(source(copy.parent, {"configuration": name, **LPS}))
    for name in ("3d_fullres", FULLRES):
        made = masks(source(copy.parent, {"configuration": name, **LPS}))
        np.testing.assert_array_equal(made["left"], masks(source(copy))["left"])


def test_a_cascade_that_only_notes_or_the_checkpoint_tell_of_is_refused_too(copy: Path) -> None:
    torch = importlib.import_module("torch")
    folder = with_cascade(copy)
    for fold in ("fold_0", "fold_1"):
        path = folder / fold / "checkpoint_final.pth"
        checkpoint = torch.load(path, weights_only=False)
        checkpoint["init_args"]["configuration"] = "3d_cascade_fullres"
        weights = checkpoint["network_weights"]
        # A cascade's network has a channel more for each label.
        wide = {
            name: value.repeat(1, 3, 1, 1, 1) for name, value in weights.items() if value.shape[1:2] == (1,)
        }
        checkpoint["network_weights"] = weights | {name: v for name, v in wide.items() if v.ndim == 5}
        torch.save(checkpoint, path)
    made = source(folder)
    backend = backends.load_backend("nnunet")
    backend.check(made)
    with pytest.raises(
        errors.InvalidModel, match="the model is a cascade, which starts from the masks of 3d_low"
    ):
        backend.load(made)
    (folder / "fold_0" / "debug.json").write_text('{"configuration_name": "3d_cascade_fullres"}')
    with pytest.raises(errors.InvalidModel, match="3d_cascade_fullres is a cascade"):
        backend.check(source(folder))


def test_a_checkpoint_of_another_configuration_than_the_wanted_one_is_refused(model: Path) -> None:
    with pytest.raises(errors.InvalidModel, match=r"checkpoint_final\.pth is not of 2d"):
        opened(source(model, {"configuration": "2d", **LPS}))
    with pytest.raises(
        errors.InvalidModel, match=r"plans\.json has no configuration 4d; it has 2d, 3d_fullres"
    ):
        opened(source(model, {"configuration": "4d", **LPS}))


def test_a_trainer_that_cannot_be_found_is_an_error_of_nnu_net_s(copy: Path) -> None:
    torch = importlib.import_module("torch")
    path = copy / "fold_0" / "checkpoint_final.pth"
    torch.save(torch.load(path, weights_only=False) | {"trainer_name": "nnUNetTrainerOfOurs"}, path)
    with pytest.raises(errors.InvalidModel, match=r"cannot be loaded by nnU-Net \(RuntimeError"):
        opened(source(copy))


def test_nnu_net_keeps_to_the_slot_s_threads_and_the_environment_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("nnUNet_raw", "/data")
    monkeypatch.setenv("nnUNet_compile", "1")
    before = dict(os.environ)
    with prepared_environment():
        found = dict(os.environ)
        fonts = Path(found["MPLCONFIGDIR"])
        assert fonts.is_dir()
    assert dict(os.environ) == before
    assert [found[f"nnUNet_{name}"] for name in ("def_n_proc", "raw", "compile")] == ["3", "/data", "f"]
    assert not fonts.exists()


def test_it_writes_nothing_into_the_user_s_home(model: Path, tmp_path: Path) -> None:
    path = source(model).model_file
    program = (
        "import pathlib, sys, numpy as np; from segint_grpc import backends\n"
        "from segint_grpc.backends.base import ModelSource, StructureSpec\n"
        "from tests.real_models import a_channel, a_scan\n"
        "backend = backends.load_backend('nnunet')\n"
        "left = StructureSpec('left', 'Left', '1')\n"
        "backend.load(ModelSource('v', (left,), ('1',), pathlib.Path(sys.argv[1])))\n"
        "assert 'matplotlib' in sys.modules\n"
        "backend.predict([a_channel(*a_scan())], lambda share: None)\n"
    )
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("nnUNet", "XDG"))
    }
    environment |= {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": "."}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
    assert list((tmp_path / "home").rglob("*")) == []
