"""Features of voxels: the same however a scan is cut or stored, and declared in words that are checked."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
import xgboost
from numpy.typing import NDArray
from sklearn import ensemble, linear_model, pipeline, preprocessing, tree

from segint_grpc import errors
from segint_grpc.backends.base import Channel, ModelSource, StructureSpec
from segint_grpc.backends.sklearn import Sklearn
from segint_grpc.backends.voxel_features import declared
from segint_grpc.backends.voxel_slabs import VALUES_MAX, feature_table, label_volume
from segint_grpc.backends.xgboost import XGBoost
from segint_grpc.domain.geometry import Geometry
from tests.real_models import CHANNELS, FEATURES, STRUCTURES, a_channel, a_scan, table_of, truth

ALL = declared({"features": FEATURES}, CHANNELS)


def quiet(share: float) -> None:
    """Progress that nobody reads."""


def sums(table: NDArray[np.float32]) -> NDArray[np.int64]:
    """A classifier that hangs on every bit of every feature."""
    return (table.view(np.uint32).astype(np.int64).sum(axis=1) % 1000).astype(np.int64)


@pytest.mark.parametrize("values_max", [1, 2 * 22 * 17 * 6, 4 * 22 * 17 * 6, VALUES_MAX])
def test_features_are_the_same_numbers_however_the_scan_is_cut(values_max: int) -> None:
    channel = a_channel(*a_scan())
    labels = label_volume([channel], ALL, sums, quiet, values_max)
    assert np.array_equal(labels.reshape(-1), sums(feature_table([channel], ALL)))


@pytest.mark.parametrize("stored_in_lps", [True, False])
def test_features_are_what_their_names_say(stored_in_lps: bool) -> None:
    image_kji, geometry = a_scan(stored_in_lps=stored_in_lps)
    made = feature_table([a_channel(image_kji, geometry)], ALL)
    np.testing.assert_allclose(made, table_of(image_kji, geometry), rtol=1e-6)


def test_a_gradient_is_per_millimetre_whatever_the_spacing() -> None:
    geometry = Geometry((9, 9, 9), (0.5, 2.0, 3.0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    x_mm = geometry.xyz_mm(np.indices((9, 9, 9)).reshape(3, -1).T)[:, 0].reshape(9, 9, 9)
    channel = Channel("1", (100 * x_mm).astype(np.int16), geometry)
    table = feature_table([channel], declared({"features": ["gradient(0.5)"]}, CHANNELS))
    assert table.reshape(9, 9, 9)[4, 4, 4] == pytest.approx(100, rel=1e-3)


def turned(image_kji: NDArray[Any], geometry: Geometry) -> tuple[NDArray[Any], Geometry]:
    """The same patient, stored with its axes in another order and its slices in reverse."""
    sx, sy, sz = geometry.spacing_xyz_mm
    shape = image_kji.shape
    last = geometry.xyz_mm(np.array([[0, 0, shape[2] - 1]]))[0]
    backwards = tuple(-part for part in geometry.x_axis)
    axes = (geometry.y_axis, geometry.z_axis, backwards)
    other = Geometry((shape[2], shape[0], shape[1]), (sy, sz, sx), *axes, tuple(last.tolist()))
    return np.ascontiguousarray(np.flip(image_kji, 2).transpose(2, 0, 1)), other


def test_a_scan_stored_otherwise_has_the_same_features_at_the_same_place() -> None:
    image_kji, geometry = a_scan()
    straight = feature_table([a_channel(image_kji, geometry)], ALL).reshape(*image_kji.shape, -1)
    other = turned(image_kji, geometry)
    crooked = feature_table([a_channel(*other)], ALL).reshape(*other[0].shape, -1)
    back = np.flip(crooked.transpose(1, 2, 0, 3), 2)
    np.testing.assert_allclose(back, straight, rtol=1e-4, atol=1e-3)


def test_memory_is_that_of_a_slab_and_the_labels_not_of_the_scan() -> None:
    shape_kji = (120, 64, 64)
    geometry = Geometry(shape_kji, (1.0, 1.0, 3.0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    channel = Channel("1", np.zeros(shape_kji, np.int16), geometry)
    shares: list[float] = []
    tracemalloc.start()
    label_volume([channel], ALL, lambda table: table[:, 0] > 0, shares.append, 64 * 64 * 6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * channel.image_kji.nbytes
    assert shares == sorted(shares)
    assert len(shares) == 120
    assert shares[-1] == 1


def test_features_of_another_channel_are_named_by_it_and_lie_on_the_same_grid() -> None:
    image_kji, geometry = a_scan()
    channels = [a_channel(image_kji, geometry, "CT"), a_channel(image_kji // 2, geometry, "PET")]
    table = feature_table(channels, declared({"features": ["intensity", "PET:intensity"]}, ["CT", "PET"]))
    assert np.array_equal(table[:, 1].reshape(image_kji.shape), image_kji // 2)
    elsewhere = a_scan(stored_in_lps=False)[1]
    with pytest.raises(errors.ModelFailure, match="CT and PET lie on different grids"):
        label_volume([channels[0], a_channel(image_kji, elsewhere, "PET")], ALL, sums, quiet)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (None, "must list what the model was trained on"),
        ([], "must list"),
        ("intensity", "must list"),
        (["texture"], "'texture' is unknown; it must be intensity, smoothed"),
        (["smoothed"], "'smoothed' is unknown"),
        (["intensity(2)"], "unknown"),
        (["smoothed(0)"], "above 0 and at most 50 mm"),
        (["smoothed(1.2.3)"], "above 0"),
        (["gradient(90)"], "at most 50 mm"),
        (["MR:intensity"], "of no channel of the family"),
        ([3], "unknown"),
    ],
)
def test_features_that_are_none_are_refused_in_words(features: Any, words: str) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        declared({"features": features}, ["1"])
    assert words in caught.value.message


def trained(classifier: Any, folder: Path) -> tuple[Path, Any]:
    classifier.fit(table_of(*a_scan(seed=1)), truth(*a_scan(seed=1)))
    skops.io.dump(classifier, folder / "model.skops")
    return folder / "model.skops", classifier


def with_sklearn(path: Path, **parameters: Any) -> Sklearn:
    backend = Sklearn()
    source = ModelSource("v", STRUCTURES, CHANNELS, path, parameters={"features": FEATURES, **parameters})
    backend.check(source)
    backend.load(source)
    return backend


@pytest.mark.parametrize(
    "classifier",
    [
        ensemble.RandomForestClassifier(4, max_depth=4, random_state=0, n_jobs=-1),
        ensemble.ExtraTreesClassifier(4, max_depth=4, random_state=0),
        ensemble.GradientBoostingClassifier(n_estimators=3, random_state=0),
        ensemble.HistGradientBoostingClassifier(max_iter=3, random_state=0),
        tree.DecisionTreeClassifier(max_depth=4, random_state=0),
        pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=50)),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_every_forest_boosting_and_pipeline_is_let_in(classifier: Any, tmp_path: Path) -> None:
    path, fitted = trained(classifier, tmp_path)
    image_kji, geometry = a_scan()
    made = with_sklearn(path).predict([a_channel(image_kji, geometry)], quiet)
    labels = fitted.predict(table_of(image_kji, geometry)).reshape(image_kji.shape)
    assert isinstance(made, dict)
    assert np.array_equal(made["bright"], labels == 1)
    assert np.array_equal(made["left"], labels == 2)


def refused(words: str, load: Any, *arguments: Any, **facts: Any) -> None:
    with pytest.raises(errors.InvalidModel) as caught:
        load(*arguments, **facts)
    assert words in caught.value.message, caught.value.message


def test_a_type_that_may_run_code_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    odd = preprocessing.FunctionTransformer(np.testing.assert_equal)
    path, _ = tmp_path / "odd.skops", skops.io.dump(odd, tmp_path / "odd.skops")
    refused("odd.skops holds numpy.testing", with_sklearn, path)


def test_a_classifier_that_does_not_fit_is_refused_with_both_sides(tmp_path: Path) -> None:
    path, _ = trained(tree.DecisionTreeClassifier(max_depth=2), tmp_path)
    refused("trained on 6 features; the parameter features has 1", with_sklearn, path, features=["x_mm"])
    refused("which lack that of left (5)", with_sklearn, path, labels={"bright": 1, "left": 5})
    refused("a class for each structure (bright, left)", with_sklearn, path, labels={"bright": 1})
    refused("whole number, not 'x'", with_sklearn, path, labels={"bright": 1, "left": "x"})
    skops.io.dump(linear_model.LinearRegression(), path)
    refused("a LinearRegression; it must be a fitted classifier", with_sklearn, path)


def test_labels_say_which_class_a_structure_is(tmp_path: Path) -> None:
    path, _ = trained(tree.DecisionTreeClassifier(max_depth=4, random_state=0), tmp_path)
    channel = a_channel(*a_scan())
    straight = with_sklearn(path).predict([channel], quiet)
    exchanged = with_sklearn(path, labels={"bright": 2, "left": 1}).predict([channel], quiet)
    assert isinstance(straight, dict)
    assert isinstance(exchanged, dict)
    assert np.array_equal(straight["bright"], exchanged["left"])


def with_xgboost(path: Path, structures: tuple[StructureSpec, ...]) -> XGBoost:
    backend = XGBoost()
    source = ModelSource("v", structures, CHANNELS, path, parameters={"features": FEATURES})
    backend.check(source)
    backend.load(source)
    return backend


@pytest.mark.parametrize("suffix", [".json", ".ubj"])
@pytest.mark.parametrize("objective", ["binary:logistic", "binary:hinge", "binary:logitraw", "multi:softmax"])
def test_every_way_to_classify_gives_a_bare_script_s_masks(
    objective: str, suffix: str, tmp_path: Path
) -> None:
    several = objective.startswith("multi")
    labels = truth(*a_scan(seed=1)) if several else truth(*a_scan(seed=1)) == 1
    options = {"objective": objective, "max_depth": 3, **({"num_class": 3} if several else {})}
    booster = xgboost.train(options, xgboost.DMatrix(table_of(*a_scan(seed=1)), labels), num_boost_round=4)
    booster.save_model(tmp_path / f"model{suffix}")
    image_kji, geometry = a_scan()
    made = with_xgboost(tmp_path / f"model{suffix}", STRUCTURES[:1]).predict(
        [a_channel(image_kji, geometry)], quiet
    )
    scores = booster.predict(xgboost.DMatrix(table_of(image_kji, geometry))).reshape(image_kji.shape)
    expected = scores == 1 if several else scores > (0 if objective == "binary:logitraw" else 0.5)
    assert isinstance(made, dict)
    assert np.array_equal(made["bright"], expected)
    assert expected.any()


def test_trees_after_the_best_round_do_not_count_as_in_xgboosts_own_classifier(tmp_path: Path) -> None:
    table, labels = table_of(*a_scan(seed=1)), truth(*a_scan(seed=1)) == 1
    random = np.random.default_rng(0).integers(0, 2, labels.shape)
    model = xgboost.XGBClassifier(n_estimators=30, learning_rate=1, early_stopping_rounds=10)
    model.fit(table, labels, eval_set=[(table, random)], verbose=False)
    model.save_model(tmp_path / "model.ubj")
    image_kji, geometry = a_scan()
    made = with_xgboost(tmp_path / "model.ubj", STRUCTURES[:1]).predict(
        [a_channel(image_kji, geometry)], quiet
    )
    expected = model.predict(table_of(image_kji, geometry)).reshape(image_kji.shape)
    assert isinstance(made, dict)
    assert np.array_equal(made["bright"], expected == 1)


def test_a_booster_that_does_not_classify_is_refused_by_its_objective(tmp_path: Path) -> None:
    data = xgboost.DMatrix(table_of(*a_scan()), truth(*a_scan()))
    xgboost.train({"objective": "reg:squarederror"}, data, num_boost_round=1).save_model(tmp_path / "r.ubj")
    refused("objective is reg:squarederror; it must be one of", with_xgboost, tmp_path / "r.ubj", STRUCTURES)
    options = {"objective": "binary:logistic"}
    data = xgboost.DMatrix(table_of(*a_scan())[:, :2], truth(*a_scan()) == 1)
    xgboost.train(options, data, num_boost_round=1).save_model(tmp_path / "two.json")
    refused("trained on 2 features", with_xgboost, tmp_path / "two.json", STRUCTURES[:1])
