"""How a model is run on a prepared scan: windows as MONAI's, slices, flips, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.backends.base import Channel, Tiles
from segint_grpc.domain.geometry import Geometry
from segint_grpc.preparation import modes
from segint_grpc.preparation.scores import FULL, Found, Reading
from tests.shapes import SHAPES, anisotropic, image

SHARES = Reading(ScanHandling.RETURNS_PROBABILITIES, exclusive=False, labels=(0, 1))
LOGITS = Reading(ScanHandling.RETURNS_LOGITS, exclusive=False, labels=(0, 1))
CLASSES = Reading(ScanHandling.RETURNS_LOGITS, exclusive=True, labels=(1,))
LABELS = Reading(ScanHandling.RETURNS_LABELS, exclusive=False, labels=(1, 2))


class Network:
    """A back end of one function of a batch that remembers what it was called with."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.calls: list[Tiles] = []

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        self.calls.append(tiles)
        return np.asarray(self.function(tiles.values))


def handled(**inference: Any) -> ScanHandling:
    return ScanHandling(
        input=ScanHandling.Input(orientation="LPS"), inference=ScanHandling.Inference(**inference)
    )


def volume() -> Channel:
    """A sphere of values from 0 to 1000, whose axes differ in length."""
    return Channel("ct", image(SHAPES["sphere"], anisotropic()), anisotropic())


def run(
    network: Network, handling: ScanHandling, reading: Reading = SHARES, channel: Channel | None = None
) -> tuple[Found, list[float]]:
    told: list[float] = []
    return modes.infer([channel or volume()], network, handling, reading, told.append), told


def position_dependent(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two classes that depend on the place in the tile, so that blending and positions show."""
    ramp = np.linspace(0.1, 1, values.shape[-1], dtype=np.float32)
    step = np.linspace(0.3, 0.9, values.shape[2], dtype=np.float32).reshape(-1, 1, 1)
    scaled = values[:, :1] / 1000
    return np.concatenate([scaled * ramp, (1 - scaled) * step], axis=1)


WINDOWS = [([16, 12, 8], 0.5), ([39, 33, 24], 0.25), ([20, 20, 20], 0.0), ([13, 40, 30], 0.7)]


@pytest.mark.parametrize("blending", ["gaussian", "constant"])
@pytest.mark.parametrize(("window", "overlap"), WINDOWS)
def test_windows_are_placed_and_blended_as_monai_s(window: list[int], overlap: float, blending: str) -> None:
    from monai.inferers import sliding_window_inference

    handling = handled(
        mode="MODE_SLIDING_WINDOW", window=window, overlap=overlap, blending=f"BLENDING_{blending.upper()}"
    )
    network = Network(position_dependent)
    found, _ = run(network, handling)
    padded = modes.padded(modes.prepare([volume()], handling.input), handling)
    theirs = sliding_window_inference(
        torch.from_numpy(np.asarray(padded.images[0], np.float32))[None, None],
        window[::-1],
        1,
        lambda batch: torch.from_numpy(position_dependent(batch.numpy())),
        overlap=overlap,
        mode=blending,
    )[0].numpy()
    ours = np.stack(found.values).astype(np.float32) / FULL
    assert ours.shape == theirs.shape
    # A share is kept in a byte: half of 1/255, and MONAI's weights have another lowest value.
    assert np.abs(ours - theirs).max() < 0.004
    assert all(call.values.shape[2:] == tuple(window[::-1]) for call in network.calls)


def test_a_batch_holds_as_many_windows_as_declared_and_progress_counts_them() -> None:
    network = Network(position_dependent)
    _, told = run(network, handled(mode="MODE_SLIDING_WINDOW", window=[16, 16, 16], tile_batch=4))
    sizes = [len(call.values) for call in network.calls]
    assert max(sizes) == 4
    assert told == sorted(told)
    assert len(told) == 1 + len(sizes)
    assert told[-1] == 1.0
    assert told[:2] == pytest.approx([0, sizes[0] / sum(sizes)])


def test_the_nearest_window_decides_about_labels() -> None:
    network = Network(lambda values: (values > 500).astype(np.int64) * 2)
    found, _ = run(network, handled(mode="MODE_SLIDING_WINDOW", window=[16, 12, 8]), LABELS)
    assert found.is_labels
    np.testing.assert_array_equal(found.values[0], (volume().image_kji > 500) * 2)


def test_slices_of_every_plane_have_the_axes_that_are_left() -> None:
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    planes = ["PLANE_AXIAL", "PLANE_CORONAL", "PLANE_SAGITTAL"]
    found, told = run(network, handled(mode="MODE_SLICES", planes=planes, tile_batch=7))
    assert {call.values.shape[2:] for call in network.calls} == {(33, 39), (24, 39), (24, 33)}
    np.testing.assert_allclose(found.values[1] / FULL, volume().image_kji / 1000, atol=0.003)
    assert told[-1] == 1.0
    assert len(told) == 1 + 4 + 5 + 6


def test_the_axial_plane_is_found_by_the_orientation_and_not_by_the_first_axis() -> None:
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    handling = handled(mode="MODE_SLICES")
    handling.input.orientation = "SPL"
    found, _ = run(network, handling)
    # Columns grow to the head, so an axial slice has slices (left) and rows (back).
    assert {call.values.shape[2:] for call in network.calls} == {(39, 33)}
    assert found.values[0].shape == (39, 33, 24)


def test_flips_are_turned_back_before_they_are_averaged() -> None:
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    found, _ = run(network, handled(flips=["x", "y", "z", "xyz"]))
    assert len(network.calls) == 5
    np.testing.assert_array_equal(network.calls[1].values, network.calls[0].values[..., ::-1])
    np.testing.assert_array_equal(network.calls[3].values, network.calls[0].values[:, :, ::-1])
    np.testing.assert_allclose(found.values[0] / FULL, volume().image_kji / 1000, atol=0.003)


def test_flips_average_what_a_one_sided_model_says() -> None:
    ramp = np.linspace(0, 1, 39, dtype=np.float32)
    network = Network(lambda values: np.broadcast_to(ramp, (1, 2, *values.shape[2:])))
    found, _ = run(network, handled(flips=["x"]))
    np.testing.assert_allclose(found.values[0] / FULL, 0.5, atol=0.003)


def test_a_model_of_ijk_gets_columns_first() -> None:
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    found, _ = run(network, handled(axes="ijk"))
    assert network.calls[0].values.shape == (1, 1, 39, 33, 24)
    assert found.values[0].shape == (24, 33, 39)


def test_the_coarse_pass_finds_the_region_and_the_fine_one_works_in_it() -> None:
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    coarse = ScanHandling.Coarse(spacing_mm=[6], margin_mm=5)
    found, told = run(network, handled(coarse=coarse))
    rough, fine = network.calls
    assert (rough.coarse, fine.coarse) == (True, False)
    assert rough.values.size < volume().image_kji.size / 10
    assert fine.values.size < volume().image_kji.size / 2
    assert told == sorted(told)
    assert np.isclose(found.geometry.spacing_xyz_mm, anisotropic().spacing_xyz_mm).all()


def test_a_coarse_pass_that_finds_nothing_ends_the_search() -> None:
    network = Network(lambda values: np.zeros((1, 2, *values.shape[2:]), np.float32))
    found, told = run(network, handled(coarse=ScanHandling.Coarse(spacing_mm=[6, 6, 8])))
    assert len(network.calls) == 1
    assert not any(values.any() for values in found.values)
    assert told[-1] == 1.0


def test_a_scan_smaller_than_a_window_is_padded_to_it() -> None:
    grid = Geometry((3, 5, 7), *[getattr(anisotropic(), n) for n in (
        "spacing_xyz_mm", "x_axis", "y_axis", "z_axis", "origin_xyz_mm")])  # fmt: skip
    network = Network(lambda values: np.repeat(values / 1000, 2, axis=1))
    small = Channel("ct", np.full((3, 5, 7), 400, np.int16), grid)
    found, _ = run(network, handled(mode="MODE_SLIDING_WINDOW", window=[16, 16, 16]), channel=small)
    assert network.calls[0].values.shape == (1, 1, 16, 16, 16)
    assert found.geometry.shape_kji == (16, 16, 16)


def one_nan(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Two classes, of which one voxel is no number in one."""
    made = np.repeat(values, 2, axis=1)
    made[0, 1, 2, 3, 4] = np.nan
    return made


WRONG = [
    (lambda v: v[:, :, 1:], SHARES, "returned an array of shape"),
    (lambda v: v, SHARES, "returned 1 classes; its manifest needs 2"),
    (lambda v: np.repeat(v, 2, axis=1) - 500, SHARES, 'before a sigmoid or softmax are returns = "logits"'),
    (lambda v: v / 7, LABELS, "labels that are no whole numbers"),
    (lambda v: v.astype(int) - 9, LABELS, "labels from -9 to"),
    (lambda v: np.repeat(v > 0, 3, axis=1), LABELS, "returned 3 classes where its manifest promises one"),
    (lambda v: one_nan(v / 1000), SHARES, "no number (NaN)"),
    (lambda v: one_nan(v), LOGITS, "no number (NaN)"),
    (lambda v: one_nan(v).astype(np.float16), CLASSES, "no number (NaN)"),
]


@pytest.mark.parametrize(("function", "reading", "words"), WRONG)
def test_what_a_model_may_not_return_is_told(function: Any, reading: Reading, words: str) -> None:
    with pytest.raises(errors.WrongOutput) as caught:
        run(Network(function), handled(), reading)
    assert words in caught.value.message


def test_logits_become_shares_without_overflow() -> None:
    reading = Reading(ScanHandling.RETURNS_LOGITS, exclusive=False, labels=(1, 0))
    logits = np.array([[[[-1e9, 0, 1e9]]], [[[5.0, -5, 0]]]], np.float32)
    read = reading.read(logits)
    assert read[:, 0, 0].tolist() == [[253, 2, 127], [0, 127, 255]]


def test_exclusive_classes_give_one_label_each_with_the_background_first() -> None:
    reading = Reading(ScanHandling.RETURNS_LOGITS, exclusive=True, labels=(1, 2))
    scores: Sequence[Any] = [[[[3, 0, 0]]], [[[2, 5, 0]]], [[[1, 1, 9]]]]
    assert reading.read(np.array(scores, np.float32))[0, 0, 0].tolist() == [0, 1, 2]
