"""A run of a version with a handling, as its process does it: what is said and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc import errors
from segint_grpc.worker import messages
from segint_grpc.worker.job_run import JobRun
from tests.fakes.worker_bench import Bench, masks

NET = """
    import torch

    class Net(torch.nn.Module):
        def forward(self, x):
            assert x.dtype == torch.float32 and x.ndim == 5
            return torch.cat([x - 100, 100 - x], dim=1)
"""
VOLUMES = """
    import numpy as np

    class Net:
        def __call__(self, image, geometry):
            assert image.dtype == np.float32 and image.flags.writeable
            assert geometry.shape_kji == image.shape and geometry.x_axis == (-1.0, 0.0, 0.0)
            image[:] = image > 100
            return image
"""
TWO = (("1", "1"), ("2", "1"))


def run(bench: Bench, source: str | None, structures: Any = TWO, **tables: Any) -> tuple[Any, list[Any]]:
    """Run a model with the handling `tables`; return its masks, and every message that was sent."""
    said: list[bytes] = []
    handling = ScanHandling(**tables).SerializeToString()
    task = bench.task(bench.model(source, structures=structures, handling=handling))
    JobRun(said.append).run(task)
    return masks(task), [messages.unpack(line) for line in said]


def test_windows_are_counted_within_the_infer_stage_and_masks_in_the_restore_stage(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    inference = ScanHandling.Inference(mode="MODE_SLIDING_WINDOW", window=[8, 10, 6])
    output = ScanHandling.Output(returns="RETURNS_LOGITS")
    found, said = run(bench, NET, inference=inference, output=output)
    np.testing.assert_array_equal(found["1"], bench.image_kji > 100)
    np.testing.assert_array_equal(found["2"], bench.image_kji < 100)
    assert list(dict.fromkeys(message["stage"] for message in said)) == [
        "load",
        "prepare",
        "infer",
        "restore",
    ]
    shares = [message["share"] for message in said if message["stage"] == "infer"]
    assert shares == sorted(shares)
    assert shares[:2] == pytest.approx([0, 1 / 9], abs=0.01)
    assert [message["share"] for message in said if message["stage"] == "restore"] == [0, 0.5]


def test_a_model_of_volumes_gets_the_prepared_ones_to_change_and_their_geometry(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    found, _ = run(bench, VOLUMES, [("1", "1")], input=ScanHandling.Input(orientation="RAS"))
    np.testing.assert_array_equal(found["1"], bench.image_kji > 100)


def test_the_phantom_draws_on_the_prepared_grid(tmp_path: Path) -> None:
    found, _ = run(Bench(tmp_path), None, [("1", "1")], input=ScanHandling.Input(spacing_mm=[2, 2, 2]))
    assert found["1"].shape == Bench(tmp_path).image_kji.shape
    assert found["1"].any()


def test_a_mask_of_another_shape_than_the_prepared_grid_is_told(tmp_path: Path) -> None:
    source = "class Net:\n    def __call__(self, image):\n        return image[1:] > 0\n"
    bench, coarser = Bench(tmp_path), ScanHandling.Input(spacing_mm=[2, 2, 2])
    with pytest.raises(errors.WrongOutput, match=r"has the shape .*; its channel has"):
        run(bench, source, [("1", "1")], input=coarser)
    wanted = ScanHandling.Output(returns="RETURNS_LABELS")
    with pytest.raises(errors.WrongOutput, match=r"the prepared scan has \(9, 15, 8\)"):
        run(bench, source, [("1", "1")], input=coarser, output=wanted)
