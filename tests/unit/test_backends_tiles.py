"""Every back end that runs networks runs them on tiles, too, as a manifest's [versions.inference] asks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import backends, errors
from segint_grpc.backends.base import BackEnd, Channel, ModelSource, TileBackEnd, Tiles
from segint_grpc.worker.handled_run import HandledRun
from tests.real_models import STRUCTURES, a_channel, a_scan, built, net

NETWORKS = ("pytorch", "torchscript", "torch_export", "onnx", "keras", "tensorflow")

HANDLING = ScanHandling(
    input=ScanHandling.Input(orientation="RAS", spacing_mm=[1.0, 1.0, 2.0]),
    inference=ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[12, 16, 8], overlap=0.5),
    output=ScanHandling.Output(returns="RETURNS_PROBABILITIES", exclusive=False),
)


def loaded(name: str) -> BackEnd:
    model = built(name)
    backend = backends.load_backend(name)
    source = model.source
    if name == "pytorch":
        source = type(source)(**{**vars(source), "entry": "Net"})
    backend.load(source)
    return backend


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_go_in_and_out_as_the_network_has_them(name: str) -> None:
    values = np.random.default_rng(2).normal(0, 500, (1, 1, 6, 8, 10)).astype(np.float32)
    backend = loaded(name)
    assert isinstance(backend, TileBackEnd)
    with torch.inference_mode():
        expected = net()(torch.from_numpy(values)).numpy()
    assert np.array_equal(backend.infer(Tiles(values)), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tile_of_one_slice_that_is_counted_backwards_goes_in_as_any(name: str) -> None:
    values = np.random.default_rng(2).normal(0, 500, (1, 1, 6, 8, 10)).astype(np.float32)
    backend = loaded(name)
    assert isinstance(backend, TileBackEnd)
    for part in (values[:, :, ::-1][:, :, 2:3], values[::-1]):
        assert np.array_equal(backend.infer(Tiles(part)), backend.infer(Tiles(part.copy())))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_prepared_scan_of_one_slice_goes_in_as_any(name: str) -> None:
    image_kji, geometry = a_scan()
    grid = dataclasses.replace(geometry, shape_kji=(1, *image_kji.shape[1:]))
    part = image_kji.astype(np.float32)[::-1][4:5]
    backend = backends.load_backend(name)
    backend.load(built(name).source)
    made: list[Any] = [
        backend.predict([Channel("1", given, grid)], lambda share: None) for given in (part, part.copy())
    ]
    assert np.array_equal(*map(np.asarray, made))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torch_network_whose_channels_come_last_gets_its_tiles_so(tmp_path: Path) -> None:
    class Last(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image > image.sum(-1, keepdim=True)

    path = tmp_path / "last.pt"
    torch.jit.save(torch.jit.script(Last()), path)
    backend = backends.load_backend("torchscript")
    parameters = {"axes": "NDHWC", "dtype": "int16"}
    backend.load(ModelSource("v", STRUCTURES, ("1", "2"), path, parameters=parameters))
    assert isinstance(backend, TileBackEnd)
    values = np.random.default_rng(1).normal(0, 300, (3, 2, 4, 5, 6)).astype(np.float32)
    assert np.array_equal(backend.infer(Tiles(values)), values > values.sum(axis=1, keepdims=True))


def masks(name: str, *, stored_in_lps: bool) -> list[NDArray[np.uint8]]:
    structures = [Model_pb2.Structure(StructureID=s.structure_id, InputChannelID="1") for s in STRUCTURES]
    _, geometry = a_scan(stored_in_lps=stored_in_lps)
    rows = np.linspace(-3000, 3000, geometry.shape_kji[1]).reshape(1, -1, 1)
    image_kji = np.broadcast_to(rows, geometry.shape_kji).astype(np.int16)
    channels = [a_channel(image_kji, geometry)]
    run = HandledRun(loaded(name), HANDLING, structures)
    return [mask_kji for _, mask_kji in run.masks(run.infer(channels, lambda share: None), channels)]


@pytest.mark.parametrize("stored_in_lps", [True, False])
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "pytorch"])
def test_a_scan_turned_and_resampled_as_a_manifest_says_gives_every_format_the_same_masks(
    name: str, stored_in_lps: bool
) -> None:
    made, expected = (masks(each, stored_in_lps=stored_in_lps) for each in (name, "pytorch"))
    assert all(np.array_equal(*pair) for pair in zip(made, expected, strict=True))
    assert all(mask.shape == a_scan()[0].shape for mask in made)
    assert 0.01 < np.mean(made) < 0.99


@pytest.mark.parametrize("name", ["sklearn", "xgboost"])
def test_what_judges_voxels_refuses_tiles_by_name_of_the_table(name: str) -> None:
    run = HandledRun(loaded(name), HANDLING, [])
    with pytest.raises(errors.InvalidModel, match=r"leave \[versions\.inference\] out"):
        run.infer([a_channel(*a_scan())], lambda share: None)
