"""Zips that break their readers: whoever stores one must not keep the server from listing its files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from segint_grpc import backends, errors
from segint_grpc.backends.base import ModelSource
from tests.real_models import CHANNELS, STRUCTURES

MEMBERS = (
    "x",
    "saved_model.pb",
    "variables/variables.index",
    "configs/metadata.json",
    "configs/inference.json",
    "plans.json",
    "dataset.json",
    "fold_0/checkpoint_final.pth",
    "data.pkl",
    "net.onnx",
)
"""What makes every back end that takes a folder look into the zip; `x` is not of any."""


def _nameless(content: bytearray) -> None:
    """Make the name of the first entry, a single letter, part of its extra field."""
    at = content.index(b"PK\x01\x02")
    content[at + 28], content[at + 30] = 0, 1


def _before_its_begin(content: bytearray) -> None:
    """Say that the directory lies further on, and so that entries begin before the file does."""
    at = content.index(b"PK\x05\x06")
    offset = int.from_bytes(content[at + 16 : at + 20], "little")
    content[at + 16 : at + 20] = (offset + 100_000).to_bytes(4, "little")


def _garbled(content: bytearray) -> None:
    """Spoil everything that is deflated."""
    for name in MEMBERS:
        start = content.index(name.encode()) + len(name)
        content[start : start + 4] = b"\xff\xff\xff\xff"


@pytest.fixture(params=[_nameless, _before_its_begin, _garbled])
def damaged(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            archive.writestr(name, b'{"a": 1}' * 20)
    content = bytearray(path.read_bytes())
    harm: Callable[[bytearray], None] = request.param
    harm(content)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", backends.names())
def test_a_damaged_zip_is_refused_in_words_by_every_back_end(name: str, damaged: Path) -> None:
    backend = backends.load_backend(name)
    assert isinstance(backend.carries_code(damaged), bool)
    if name not in ("phantom", "pytorch", "tensorflow"):
        with pytest.raises(errors.InvalidModel):
            backend.check(ModelSource("v", STRUCTURES, CHANNELS, damaged))
