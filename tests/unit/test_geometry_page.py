"""docs/geometry.md: every field has an example, and every example is read, accepted and run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor import FieldDescriptor
from numpy.typing import NDArray

from generated.radiomics import Model_pb2
from generated.segint.v1.handling_pb2 import ScanHandling
from segint_grpc.backends.base import Channel, Tiles
from segint_grpc.domain import hurry
from segint_grpc.domain.geometry import Geometry
from segint_grpc.packaging.manifest import Manifest, read_manifest
from segint_grpc.preparation import grids, windows
from segint_grpc.worker.handled_run import HandledRun
from tests.shapes import SHAPES, anisotropic, image

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "geometry.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

BASE = """
[family]
canonical_name = "Abdomen"
body_parts = ["Abdomen"]
CHANNELS
[[versions]]
id = "Abdomen 1"
number = "1.0"
[[versions.structures]]
id = "liver"
color = "#ff7800"
channel = "ct"
[[versions.structures]]
id = "spleen"
color = "#7800ff"
channel = "ct"
[versions.runtime]
backend = "pytorch"
"""


def read(example: str) -> tuple[Manifest, ScanHandling]:
    ids = ["ct", "pet"] if "pet" in example else ["ct"]
    channels = "".join(f'[[channels]]\nid = "{name}"\nmodalities = ["CT"]\n' for name in ids)
    text = BASE.replace("CHANNELS\n", channels) + example
    manifest = read_manifest(text.encode(), lambda name: b"")
    handling = manifest.runtimes["Abdomen 1"].handling
    assert handling is not None
    return manifest, handling


class Model:
    """Finds what is above one half of what there is, in whatever form the example says that it returns."""

    summary = extra = ""

    def __init__(self, wanted: ScanHandling.Output) -> None:
        self.wanted = wanted

    def infer(self, tiles: Tiles) -> NDArray[Any]:
        return self.scores(tiles.values[:, 0], axis=1)

    def predict(self, channels: list[Channel], progress: Any) -> NDArray[Any]:
        return self.scores(np.asarray(channels[0].image_kji, np.float32), axis=0)

    def scores(self, values: NDArray[np.float32], axis: int) -> NDArray[Any]:
        inside = values > (values.min() + values.max()) / 2
        if self.wanted.returns == ScanHandling.RETURNS_LABELS:
            return inside.astype(np.int32) * 5 if axis == 0 else inside[:, None] * 5
        count = 3 if self.wanted.exclusive else 2
        one = inside.astype(np.float32)
        if self.wanted.returns == ScanHandling.RETURNS_LOGITS:
            one = 8 * one - 4
        return np.stack([one * (n == 1) if self.wanted.exclusive else one for n in range(count)], axis=axis)


def scanned(name: str, grid: Geometry) -> Channel:
    values = image(SHAPES["sphere"], grid) - 200
    return Channel(name, values.astype(np.int16), grid)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_read_accepted_and_run(example: str) -> None:
    manifest, handling = read(example)
    version: Model_pb2.ModelVersion = manifest.family.ModelVersions[0]
    names = [channel.ChannelID for channel in manifest.family.FamilyDescription.InputChannels]
    channels = [scanned(name, anisotropic()) for name in names]
    run: Any = HandledRun(Model(handling.output), handling, version.Structures)  # type: ignore[arg-type]
    found = run.infer(channels, lambda share: None)
    masks = {structure.StructureID: mask for structure, mask in run.masks(found, channels)}
    assert masks["liver"].shape == anisotropic().shape_kji
    truth = channels[0].image_kji > 300
    labels_differ = handling.output.returns == ScanHandling.RETURNS_LABELS and "label = 5" not in example
    if labels_differ:
        # The model returns 5; the structures of this example have the labels 1 and 2.
        assert not masks["liver"].any()
        return
    both = np.count_nonzero(masks["liver"] & truth)
    assert 2 * both / (masks["liver"].sum() + truth.sum()) > 0.5


def fields(descriptor: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    field: FieldDescriptor
    for field in descriptor.fields:
        yield (*path, field.name)
        if field.message_type is not None:
            yield from fields(field.message_type, (*path, field.name))


@pytest.mark.parametrize("path", list(fields(ScanHandling.DESCRIPTOR)), ids=".".join)
def test_every_field_is_written_in_an_example(path: tuple[str, ...]) -> None:
    assert any(_says(read(example)[1], path) for example in EXAMPLES), f"docs/geometry.md has no {path}"


def _says(message: Any, path: tuple[str, ...]) -> bool:
    written = {field.name: value for field, value in message.ListFields()}
    if path[0] not in written:
        return False
    value = written[path[0]]
    if len(path) == 1:
        return True
    return any(_says(item, path[1:]) for item in (value if hasattr(value, "append") else [value]))


def test_the_page_s_numbers_are_right() -> None:
    scan = Geometry((120, 512, 512), (0.98, 0.98, 2.5), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0))
    assert grids.respaced(scan, (1.5, 1.5, 3)).shape_kji == (100, 335, 335)
    assert windows.starts(335, 128, 0.25) == [0, 96, 192, 207]
    assert 148 * 1.5**3 < 500 <= 149 * 1.5**3
    windowed, planes = (read(example)[1] for example in EXAMPLES if "inference.hurried]" in example)
    assert round(2 * hurry.cost_share(windowed), 2) == 0.3
    assert round(hurry.cost_share(windowed), 2) == 0.15
    assert hurry.cost_share(planes) == pytest.approx(1 / 3)
