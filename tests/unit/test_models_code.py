"""Which files carry code, and that none of it runs before its content was approved."""

from __future__ import annotations

import collections
import os
import pickle
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from segint_grpc import errors
from segint_grpc.backends import torch_files
from segint_grpc.backends.nnunet import Nnunet
from segint_grpc.backends.pytorch import PyTorch
from segint_grpc.domain.models import FileRecord, RuntimeRecord
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.store.store import Store, open_store
from tests.fakes.stores import make_home
from tests.families import a_family
from tests.unit.test_models_service_files import offer_of, pieces

NET = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.BatchNorm3d(2))


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def saved(path: Path, value: object, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        NET.state_dict(),
        {"state_dict": NET.state_dict(), "epoch": 3, "loss": [0.5, None]},
        {"half": torch.zeros(2, dtype=torch.bfloat16), "flags": torch.ones(2, dtype=torch.bool)},
        {"weight": torch.nn.Parameter(torch.zeros(3))},
        collections.OrderedDict(size=torch.Size([1, 2]), kind=torch.float32),
    ],
)
def test_plain_weights_carry_no_code_and_torch_agrees(tmp_path: Path, value: object, legacy: bool) -> None:
    path = saved(tmp_path / "w.pt", value, legacy)
    assert not PyTorch().carries_code(path)
    torch.load(path, weights_only=True)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickled_module_carries_code(tmp_path: Path, legacy: bool) -> None:
    assert PyTorch().carries_code(saved(tmp_path / "net.pt", NET, legacy))


@pytest.mark.parametrize(
    ("name", "code"),
    [("fold_0/checkpoint_final.pth", True), ("D__P__3d/fold_all/own.pth", True), ("w.pth", False)],
)
def test_what_nnunet_would_unpickle_is_code_for_it(tmp_path: Path, name: str, code: bool) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(name, b"x")
        archive.writestr("plans.json", b"{}")
    assert Nnunet().carries_code(tmp_path / "m.zip") == code


def test_safetensors_carry_no_code(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(2)}, path)
    assert not PyTorch().carries_code(path)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_names_anything_else_carries_code(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "bare.pt"
    path.write_bytes(pickle.dumps({"w": Bomb(tmp_path / "ran")}, protocol=protocol))
    assert PyTorch().carries_code(path)
    path = tmp_path / "zip.pt"
    torch.save({"w": Bomb(tmp_path / "ran")}, path, pickle_protocol=max(protocol, 2))
    assert PyTorch().carries_code(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", b"\x80\x02}", b"\x80\x05\x8c\x02os\x8c\x05mkdir\x93."]
)
def test_what_cannot_be_read_counts_as_code(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    assert PyTorch().carries_code(path)


def test_a_second_pickle_in_the_archive_counts_as_code(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.pt", {"w": torch.zeros(2)})
    assert not PyTorch().carries_code(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("w/constants.pkl", pickle.dumps(Bomb(tmp_path / "ran")))
    assert PyTorch().carries_code(path)


def test_what_was_not_found_to_carry_code_is_never_unpickled_freely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "w.pt", {"w": Bomb(tmp_path / "ran")})
    monkeypatch.setattr(torch_files, "carries_code", lambda path: False)
    with pytest.raises(errors.InvalidModel, match="cannot be read"):
        torch_files.read(path, None)
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(make_home(tmp_path)) as store:
        yield store


@pytest.fixture
async def models(store: Store) -> AsyncIterator[Models]:
    with Hop("test") as hop:
        models = Models(store, hop)
        await models.import_family(a_family().SerializeToString())
        yield models


async def stored(models: Models, content: bytes, name: str) -> FileRecord:
    return await models.files.upload(offer_of(content, name), pieces(content))


async def test_code_that_was_edited_where_it_lies_does_not_run(models: Models, store: Store) -> None:
    file = await stored(models, b"class Net:\n    limit = 1\n", "net.py")
    await models.versions.set_runtime("Liver 1", RuntimeRecord("pytorch", module_file=file, entry="Net"))
    await models.files.approve(file.sha256)
    await models.versions.activate("Liver 1", force=True)
    await models.resolve("Liver 1")
    path = store.media.model_file_path(file)
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    with pytest.raises(errors.UnknownModel, match=r"net\.py was changed where it lies"):
        await models.resolve("Liver 1")
    with pytest.raises(errors.InvalidModel, match="not what was approved"):
        await models.usable("Liver 1")


async def test_a_pickled_model_is_code_too_and_weights_are_not(models: Models, tmp_path: Path) -> None:
    weights = await stored(models, saved(tmp_path / "w.pt", {"w": torch.zeros(2)}).read_bytes(), "w.pt")
    pickled = await stored(models, saved(tmp_path / "n.pt", NET).read_bytes(), "n.pt")
    module = await stored(models, b"class Net:\n    pass\n", "net.py")
    views = {view.file.name: view for view in await models.files.files()}
    assert [views[name].carries_code for name in ("w.pt", "n.pt", "net.py")] == [False, True, True]
    await models.files.approve(module.sha256)
    await models.versions.set_runtime("Liver 1", RuntimeRecord("pytorch", weights, module, "Net"))
    await models.usable("Liver 1")
    await models.versions.set_runtime("Liver 1", RuntimeRecord("pytorch", pickled, module, "Net"))
    with pytest.raises(errors.NotApproved, match=rf"n\.pt carries code.*{pickled.sha256[:12]}"):
        await models.usable("Liver 1")
    await models.files.approve(pickled.sha256)
    await models.usable("Liver 1")


async def test_a_file_in_use_is_code_if_it_is_so_for_the_back_end_that_uses_it(models: Models) -> None:
    content = b"\x08\x0a\x3a\x00\x42\x02\x10\x12"  # The smallest that passes for ONNX.
    network = await stored(models, content, "net.onnx")
    await models.versions.set_runtime("Liver 1", RuntimeRecord("onnx", network))
    (view,) = await models.files.files()
    assert (view.used_by, view.carries_code) == (("Liver 1",), False)
    await models.usable("Liver 1")


async def test_a_check_scan_is_no_code(models: Models) -> None:
    scan = await stored(models, b"any bytes", "scan.py")
    (before,) = await models.files.files()
    await models.versions.set_runtime("Liver 1", RuntimeRecord("phantom", check_scan=scan))
    assert (await models.usable("Liver 1")).check_scan
    (after,) = await models.files.files()
    assert (before.carries_code, after.carries_code) == (True, False)


async def test_a_retired_version_runs_the_jobs_that_it_has_and_takes_no_new_ones(models: Models) -> None:
    await models.versions.set_runtime("Liver 1", RuntimeRecord("phantom"))
    with pytest.raises(errors.UnknownModel, match="It is a draft: segint model check 'Liver 1'"):
        await models.resolve("Liver 1", posted=True)
    await models.versions.activate("Liver 1", force=True)
    await models.versions.retire("Liver 1")
    with pytest.raises(errors.UnknownModel, match="It is retired"):
        await models.resolve("Liver 1")
    assert (await models.resolve("Liver 1", posted=True)).version.ID == "Liver 1"
