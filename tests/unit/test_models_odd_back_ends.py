"""Back ends of other packages that fail where they must not keep the server from its other models."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segint_grpc import errors
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.store.store import open_store
from tests.fakes.stores import make_home
from tests.families import a_family
from tests.unit.test_models_service_files import offer_of, pieces

ODD = """
FAILS = False
class Odd:
    summary, extra = "Odd.", "odd"
    def check(self, source):
        if FAILS:
            raise KeyError("nobody thought of this")
    def carries_code(self, path):
        raise IndexError("nor of this")
"""
POINTS = "[segint.backends]\nodd = segint_odd:Odd\nbroken = segint_odd_broken:Broken\n"


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    facts = tmp_path / "site" / "segint_odd-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Name: segint-odd\nVersion: 1\n")
    (facts / "entry_points.txt").write_text(POINTS)
    (facts.parent / "segint_odd.py").write_text(ODD)
    (facts.parent / "segint_odd_broken.py").write_text("raise RuntimeError('no licence server')")
    monkeypatch.syspath_prepend(str(facts.parent))
    yield importlib.import_module("segint_odd")
    del sys.modules["segint_odd"]


@pytest.fixture
def models(tmp_path: Path, odd: Any) -> Iterator[Models]:
    with open_store(make_home(tmp_path / "home")) as store, Hop("test") as hop:
        yield Models(store, hop)


async def test_one_that_fails_in_its_check_takes_its_own_versions_away_alone(
    models: Models, odd: Any
) -> None:
    await models.add_sample_family()
    await models.import_family(a_family().SerializeToString())
    await models.versions.set_runtime("Liver 1", RuntimeRecord("odd"))
    await models.versions.activate("Liver 1", force=True)
    assert len((await models.offered()).Models) == 2
    odd.FAILS = True
    (left,) = (await models.offered()).Models
    assert "Square" in left.CanonicalName
    with pytest.raises(errors.UnknownModel, match=r"odd failed in its check \(KeyError: 'nobody thought"):
        await models.resolve("Liver 1")
    with pytest.raises(errors.InvalidModel, match="odd failed in its check"):
        await models.versions.set_runtime("Liver 1", RuntimeRecord("odd"))


async def test_files_that_one_cannot_look_at_are_listed_as_code(models: Models) -> None:
    await models.files.upload(offer_of(b"x", "net.safetensors"), pieces(b"x"))
    (view,) = await models.files.files()
    assert view.carries_code


async def test_one_that_cannot_be_imported_is_told_with_its_reason(models: Models) -> None:
    await models.import_family(a_family().SerializeToString())
    with pytest.raises(errors.InvalidModel, match=r"broken cannot work \(RuntimeError: no licence server\)"):
        await models.versions.set_runtime("Liver 1", RuntimeRecord("broken"))
