"""nnU-Net v2 models that nnunetv2 has planned, trained and exported: masks are those of its own predictor."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc import backends, errors
from segint_grpc.backends import remarks
from segint_grpc.backends.base import BackEnd, ModelSource, StructureSpec
from segint_grpc.backends.nnunet_environment import prepared_environment
from segint_grpc.backends.nnunet_scan import nnunet_scan
from segint_grpc.domain.geometry import Geometry
from segint_grpc.zips.folder import write_folder_zip
from tests.nnunet_models import LABELS, REGIONS, bare, exported, trained, write_nifti
from tests.real_models import STRUCTURES, a_channel, a_scan

FULLRES, CASCADE = "nnUNetTrainer__nnUNetPlans__3d_fullres", "nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"
LPS = {"orientation": "LPS"}
READERS = {
    "SimpleITKIO": "",
    "NibabelIO": "",
    "SimpleITKIOWithReorient": "RAS",
    "NibabelIOWithReorient": "RAS",
}


def oblique(geometry: Geometry) -> Geometry:
    """Turned by 20 degrees about the first axis and by 12 about the third."""
    a, b = np.radians([20, 12])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    axes = (about_x @ about_z @ np.array([geometry.x_axis, geometry.y_axis, geometry.z_axis]).T).T
    x, y, z = (tuple(map(float, axis)) for axis in axes)
    return dataclasses.replace(geometry, x_axis=x, y_axis=y, z_axis=z)


def scans() -> dict[str, tuple[NDArray[np.int16], Geometry]]:
    image_kji, geometry = a_scan(stored_in_lps=False)
    return {"lps": a_scan(), "sagittal": (image_kji, geometry), "oblique": (image_kji, oblique(geometry))}


SCANS = scans()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of a model with two folds, which mirrors along two axes."""
    return trained(tmp_path_factory.mktemp("two"), folds=(0, 1), mirrored=(0, 1))


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    """A copy of the model's folder, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "results" / FULLRES))


def source(
    folder: Path,
    parameters: Mapping[str, Any] = LPS,
    structures: Sequence[StructureSpec] = STRUCTURES,
    channels: Sequence[str] = ("1",),
) -> ModelSource:
    """What a back end loads where `folder` is the model's folder, or a zip."""
    path = folder
    if folder.is_dir():
        path = folder.with_name(f"{folder.name}.zip")
        write_folder_zip(folder, path)
    return ModelSource("Two 1.0", tuple(structures), tuple(channels), path, parameters=parameters)


def opened(made: ModelSource) -> BackEnd:
    backend = backends.load_backend("nnunet")
    backend.check(made)
    backend.load(made)
    return backend


def segmented(made: ModelSource, image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.uint8]:
    """The labels that the masks of `LABELS` amount to."""
    masks: Any = opened(made).predict([a_channel(image_kji, geometry)], lambda share: None)
    labels = np.zeros(image_kji.shape, np.uint8)
    for name, mask in masks.items():
        labels[mask] = LABELS[name]
    return labels


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("reader", READERS)
def test_masks_are_those_of_nnu_net_on_files_that_its_reader_reads(
    reader: str, scan: str, copy: Path
) -> None:
    edit(copy / "plans.json", image_reader_writer=reader)
    image_kji, geometry = SCANS[scan]
    made = segmented(source(copy, {} if READERS[reader] else LPS), image_kji, geometry)
    stored = "" if READERS[reader] else "LPS"
    np.testing.assert_array_equal(made, bare(copy, image_kji, geometry, stored, (0, 1)))
    assert set(np.unique(made)) == {0, 1, 2}


def test_files_that_were_stored_otherwise_are_said_to_be(copy: Path) -> None:
    image_kji, geometry = SCANS["sagittal"]
    made = segmented(source(copy, {"orientation": "LAS"}), image_kji, geometry)
    np.testing.assert_array_equal(made, bare(copy, image_kji, geometry, "LAS", (0, 1)))
    assert (made != segmented(source(copy), image_kji, geometry)).any()


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("reader", READERS)
def test_the_network_gets_the_very_array_and_spacing_of_the_reader(
    reader: str, scan: str, tmp_path: Path
) -> None:
    registry = importlib.import_module("nnunetv2.imageio.reader_writer_registry")
    image_kji, geometry = SCANS[scan]
    write_nifti(tmp_path / "scan.nii.gz", image_kji, geometry)
    read, properties = registry.recursive_find_reader_writer_by_name(reader)().read_images(
        [str(tmp_path / "scan.nii.gz")]
    )
    letters = READERS[reader] or {"lps": "LPS"}.get(scan, "PIL")
    made = nnunet_scan([a_channel(image_kji, geometry)], letters, nifti=True)
    np.testing.assert_array_equal(made.values, read)
    assert made.values.dtype == read.dtype
    np.testing.assert_allclose(made.spacing_kji_mm, properties["spacing"], rtol=1e-7)
    np.testing.assert_array_equal(made.laid_back(made.values[0]), image_kji)


def test_nobody_is_left_to_guess_how_training_files_lay(model: Path) -> None:
    backend = opened(source(model, {}))
    for _ in range(2):
        with remarks.heard() as said:
            backend.predict([a_channel(*SCANS["lps"])], lambda share: None)
        (sentence,) = said.sentences
        assert "SimpleITKIO takes files as they are stored" in sentence
        assert "the parameter orientation" in sentence
        assert sentence.endswith("given LPS.")


def test_a_scan_whose_directions_mean_nothing_is_refused(model: Path) -> None:
    image_kji, geometry = SCANS["lps"]
    lost = dataclasses.replace(geometry, x_axis=(0.0, 0.0, 0.0))
    with pytest.raises(errors.ClientMistake, match=r"how the scan lies in the patient\. XAxisDirection is"):
        opened(source(model)).predict([a_channel(image_kji, lost)], lambda share: None)


def test_the_zip_of_nnu_net_s_own_export_is_taken_as_it_is(model: Path) -> None:
    image_kji, geometry = SCANS["lps"]
    path = exported(model.parents[2], folds=(0, 1))
    made = segmented(source(path), image_kji, geometry)
    np.testing.assert_array_equal(made, segmented(source(model), image_kji, geometry))


@pytest.mark.parametrize("folds", [0, [1], [0, 1]])
def test_folds_are_averaged_and_can_be_chosen(folds: Any, model: Path) -> None:
    image_kji, geometry = SCANS["lps"]
    made = segmented(source(model, {"folds": folds, **LPS}), image_kji, geometry)
    numbers = tuple(folds) if isinstance(folds, list) else (folds,)
    np.testing.assert_array_equal(made, bare(model, image_kji, geometry, folds=numbers))
    assert (made == segmented(source(model), image_kji, geometry)).all() == (numbers == (0, 1))


def test_a_model_that_was_trained_on_all_cases_alone_runs(copy: Path) -> None:
    shutil.rmtree(copy / "fold_1")
    (copy / "fold_0").rename(copy / "fold_all")
    image_kji, geometry = SCANS["lps"]
    made = segmented(source(copy), image_kji, geometry)
    np.testing.assert_array_equal(made, bare(copy, image_kji, geometry, folds=("all",)))


def test_the_best_checkpoint_stands_in_for_a_final_one_and_a_remark_says_so(copy: Path) -> None:
    for fold in ("fold_0", "fold_1"):
        (copy / fold / "checkpoint_final.pth").rename(copy / fold / "checkpoint_best.pth")
    backend = opened(source(copy))
    with remarks.heard() as said:
        backend.predict([a_channel(*SCANS["lps"])], lambda share: None)
    assert said.sentences == ["The model has no checkpoint_final.pth, so checkpoint_best.pth was run."]


def test_an_unfinished_fold_is_left_out_and_a_remark_says_so(copy: Path) -> None:
    (copy / "fold_1" / "checkpoint_final.pth").rename(copy / "fold_1" / "checkpoint_latest.pth")
    backend = opened(source(copy))
    with remarks.heard() as said:
        backend.predict([a_channel(*SCANS["lps"])], lambda share: None)
    assert said.sentences == ["fold_1 of the model has no checkpoint_final.pth and was left out."]


def large_scan() -> tuple[NDArray[np.int16], Geometry]:
    geometry = dataclasses.replace(a_scan()[1], shape_kji=(14, 30, 33))
    return np.random.default_rng(1).integers(-900, 1200, geometry.shape_kji).astype(np.int16), geometry


@pytest.mark.parametrize(
    ("parameters", "calls"),
    [({}, 2 * 4 * 12), ({"mirroring": False}, 2 * 12), ({"tile_step_size": 1, "folds": 0}, 4 * 8)],
)
def test_progress_follows_tiles_mirrors_and_folds(
    parameters: Mapping[str, Any], calls: int, model: Path
) -> None:
    backend = opened(source(model, {**parameters, **LPS}))
    for _ in range(2):
        shares: list[float] = []
        backend.predict([a_channel(*large_scan())], shares.append)
        np.testing.assert_allclose(shares[:-1], np.linspace(0, 0.9, calls + 1)[1:])
        assert shares[-1] == 1


def test_scores_that_did_not_fit_into_the_gpu_do_not_set_progress_back(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nnU-Net begins a fold anew where its scores have no room, as a GPU's fault has it do."""
    backend: Any = opened(source(model))
    predictor = backend._model._predictor
    once, faults = predictor._internal_predict_sliding_window_return_logits, [RuntimeError("out of memory")]

    def failing(*args: Any) -> Any:
        made = once(*args)
        if faults:
            raise faults.pop()
        return made

    monkeypatch.setattr(predictor, "_internal_predict_sliding_window_return_logits", failing)
    predictor.perform_everything_on_device = True
    shares: list[float] = []
    backend.predict([a_channel(*large_scan())], shares.append)
    assert not faults
    assert shares == sorted(shares)
    # And where there is no room for the network either, the whole scan begins anew.
    predictor.tell(shares.append)
    shares.clear()
    scan = nnunet_scan([a_channel(*large_scan())], "LPS", nifti=True)
    for _ in range(2):
        backend._model._segmented(scan)
    assert shares == sorted(shares)
    assert max(shares) == pytest.approx(0.9)
    backend.predict([a_channel(*large_scan())], shares.append)
    assert shares[-1] == 1


def test_a_failure_of_the_thread_that_hands_tiles_over_ends_the_run(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = importlib.import_module("torch")
    backend = opened(source(model))

    def full(*args: Any, **kwargs: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch, "clone", full)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        backend.predict([a_channel(*SCANS["lps"])], lambda share: None)


ANY, LEFT = StructureSpec("any", "Any", "1"), StructureSpec("LEFT", "left", "1")


def test_a_region_is_the_union_of_its_labels(tmp_path: Path) -> None:
    folder = trained(tmp_path, REGIONS)
    image_kji, geometry = SCANS["sagittal"]
    backend = opened(source(folder, structures=(ANY, LEFT)))
    made: Any = backend.predict([a_channel(image_kji, geometry)], lambda share: None)
    labels = bare(folder, image_kji, geometry)
    np.testing.assert_array_equal(made["any"], np.isin(labels, [1, 2]))
    np.testing.assert_array_equal(made["LEFT"], labels == 2)
    assert (made["any"] & ~made["LEFT"]).any()
    assert made["LEFT"].any()
    assert (made["any"] | ~made["LEFT"]).all()


def test_channels_go_by_their_names_else_by_their_order(tmp_path: Path) -> None:
    folder = trained(tmp_path, channels=("CT", "PET"))
    image_kji, geometry = SCANS["lps"]
    other_kji = np.ascontiguousarray(image_kji[::-1])

    def made(*ids: str) -> Any:
        images = {"CT": image_kji, "PET": other_kji}
        given = [
            a_channel(images.get(name, list(images.values())[number]), geometry, name)
            for number, name in enumerate(ids)
        ]
        return opened(source(folder, channels=ids)).predict(given, lambda share: None)

    expected = made("CT", "PET")
    for ids in (("pet", "ct"), ("1", "2")):
        again = made("PET", "CT") if ids == ("pet", "ct") else made(*ids)
        np.testing.assert_array_equal(again["left"], expected["left"])
    moved = dataclasses.replace(geometry, origin_xyz_mm=(0.0, 0.0, 0.0))
    backend = opened(source(folder, channels=("CT", "PET")))
    with pytest.raises(errors.ModelFailure, match="lie on different grids"):
        backend.predict([a_channel(image_kji, geometry), a_channel(other_kji, moved)], lambda share: None)
    with pytest.raises(errors.InvalidModel, match=r"2 channels \(CT, PET\); the version has 1 \(1\)"):
        backends.load_backend("nnunet").check(source(folder))


def labelled(model: Path, labels: Any, structures: Sequence[StructureSpec] = STRUCTURES) -> Any:
    backend = opened(source(model, {"labels": labels, **LPS}, structures))
    return backend.predict([a_channel(*SCANS["lps"])], lambda share: None)


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
        made = segmented(source(copy.parent, {"configuration": name, **LPS}), *SCANS["lps"])
        np.testing.assert_array_equal(made, segmented(source(copy), *SCANS["lps"]))


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
