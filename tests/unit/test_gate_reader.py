"""Masks are read back from a result that ran through a model's process, so nothing in it is trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from generated.radiomics.Model_pb2 import ModelOutput
from segint_grpc import errors
from segint_grpc.wire.model_output_reader import read_masks
from segint_grpc.wire.model_output_writer import write_model_output
from tests.families import a_structure, a_version

SHAPE = (3, 4, 5)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    version = a_version("Liver 1", [a_structure("1"), a_structure("2")])
    masks = [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)]
    write_model_output(tmp_path / "result", version, zip(version.Structures, masks, strict=True))
    return tmp_path / "result"


def test_masks_come_back_by_structure(result: Path, tmp_path: Path) -> None:
    masks = read_masks(result, lambda n: tmp_path / f"{n}", {"1": SHAPE, "2": SHAPE})
    assert not masks["1"].any()
    assert masks["2"].shape == SHAPE
    assert masks["2"].all()
    assert not masks["2"].flags.writeable


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"1": SHAPE}, "holds the structures"),
        ({"1": SHAPE, "2": (3, 4, 4)}, "voxels instead of 48"),
        ({"1": SHAPE, "2": (3, 4, 6)}, "60 voxels instead of 72"),
    ],
)
def test_other_masks_than_expected_are_refused(
    result: Path, tmp_path: Path, shapes: dict[str, tuple[int, int, int]], words: str
) -> None:
    with pytest.raises(errors.WrongOutput, match=words):
        read_masks(result, lambda n: tmp_path / f"{n}", shapes)


def test_broken_bytes_are_refused(result: Path, tmp_path: Path) -> None:
    message = ModelOutput.FromString(result.read_bytes())
    message.Channels[0].Volume.Data = b"no gzip"
    result.write_bytes(message.SerializeToString())
    with pytest.raises(errors.WrongOutput, match="no intact gzip"):
        read_masks(result, lambda n: tmp_path / f"{n}", {"1": SHAPE, "2": SHAPE})
    result.write_bytes(b"\xff")
    with pytest.raises(errors.WrongOutput, match="cannot be read back"):
        read_masks(result, lambda n: tmp_path / f"{n}", {"1": SHAPE, "2": SHAPE})
