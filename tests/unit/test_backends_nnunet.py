"""nnU-Net v2 models that nnunetv2 has planned, trained and exported: masks are those of its own predictor."""

from __future__ import annotations

import dataclasses
import importlib
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segint_grpc import backends, errors
from segint_grpc.backends import remarks
from segint_grpc.backends.base import ModelSource, StructureSpec
from segint_grpc.backends.nnunet_scan import nnunet_scan
from segint_grpc.domain.geometry import Geometry
from tests.nnunet_models import LABELS, REGIONS, bare, exported, trained, write_nifti
from tests.nnunet_sources import LPS, copied, edit, opened, source, two_folds
from tests.real_models import a_channel, a_scan

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


@pytest.fixture
def model() -> Path:
    return two_folds()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copied(tmp_path)


def segmented(made: ModelSource, image_kji: NDArray[Any], geometry: Geometry) -> NDArray[np.uint8]:
    """The labels that the masks of `LABELS` amount to."""
    masks: Any = opened(made).predict([a_channel(image_kji, geometry)], lambda share: None)
    labels = np.zeros(image_kji.shape, np.uint8)
    for name, mask in masks.items():
        labels[mask] = LABELS[name]
    return labels


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
    # As a manifest's [versions.input] has them come in another order than the family's.
    backend = opened(source(folder, channels=("CT", "PET")))
    given = [a_channel(other_kji, geometry, "PET"), a_channel(image_kji, geometry, "CT")]
    again = backend.predict(given, lambda share: None)
    np.testing.assert_array_equal(again["left"], expected["left"])
    moved = dataclasses.replace(geometry, origin_xyz_mm=(0.0, 0.0, 0.0))
    with pytest.raises(errors.ModelFailure, match="lie on different grids"):
        backend.predict(
            [a_channel(image_kji, geometry, "CT"), a_channel(other_kji, moved, "PET")], lambda share: None
        )
    with pytest.raises(errors.InvalidModel, match=r"2 channels \(CT, PET\); the version has 1 \(1\)"):
        backends.load_backend("nnunet").check(source(folder))
