"""Versions that name an interpreter: what is asked there, and what is decided here."""

from __future__ import annotations

import os
import pickle
import pickletools
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.backends import surroundings
from segint_grpc.backends.base import ModelSource
from segint_grpc.domain.models import RuntimeRecord
from segint_grpc.guests.outside import Interpreter, hang_up
from segint_grpc.guests.packing import pack
from segint_grpc.service.hop import Hop
from segint_grpc.service.models import Models
from segint_grpc.store.store import Store, open_store
from tests.fakes.group_environment import make_environment, script
from tests.fakes.stores import make_home
from tests.families import a_family
from tests.unit.test_models_service_files import offer_of, pieces


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("group") / "environment")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(make_home(tmp_path)) as store:
        yield store


@pytest.fixture
def models(store: Store, python: Path) -> Iterator[Models]:
    with Hop("test") as hop:
        yield Models(store, hop, interpreters={"group": str(python), "ours": sys.executable})


async def test_a_library_that_is_missing_here_and_there_at_hand_is_no_obstacle(
    models: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("segint_grpc.backends.importlib.util.find_spec", lambda name: None)
    await models.import_family(a_family().SerializeToString())
    module = b"class Net:\n    pass\n"
    file = await models.files.upload(offer_of(module, "net.py"), pieces(module))
    with pytest.raises(errors.InvalidModel, match="torch is not installed"):
        await models.versions.set_runtime("Liver 1", RuntimeRecord("pytorch", None, file, "Net"))
    wanted = RuntimeRecord("pytorch", None, file, "Net", interpreter="ours")
    view = await models.versions.set_runtime("Liver 1", wanted)
    assert view.runtime
    assert view.runtime.interpreter == "ours"


async def test_a_back_end_that_only_a_group_s_environment_has_needs_an_approval_for_its_files(
    models: Models,
) -> None:
    await models.import_family(a_family().SerializeToString())
    weights = await models.files.upload(offer_of(b"weights", "w.bin"), pieces(b"weights"))
    module = b"def predict(image, progress):\n    return image > 0\n"
    file = await models.files.upload(offer_of(module, "net.py"), pieces(module))
    wanted = RuntimeRecord("grouped", weights, file, interpreter="group")
    view = await models.versions.set_runtime("Liver 1", wanted)
    assert "carries code that nobody has approved" in view.problem
    await models.files.approve(file.sha256)
    with pytest.raises(errors.NotApproved, match=r"w\.bin carries code"):
        await models.versions.activate("Liver 1", force=True)
    await models.files.approve(weights.sha256)
    assert not (await models.versions.activate("Liver 1", force=True)).problem


async def test_an_interpreter_that_is_broken_keeps_a_version_from_being_activated(
    models: Models, python: Path
) -> None:
    await models.import_family(a_family().SerializeToString())
    await models.versions.set_runtime("Liver 1", RuntimeRecord("phantom", interpreter="group"))
    site = next((python.parents[1] / "lib").glob("python3.*")) / "site-packages"
    (site / "numpy").rename(site / "numpy-away")
    try:
        with pytest.raises(errors.InvalidModel, match=r"The interpreter group .*numpy>=1\.26 must be there"):
            await models.versions.activate("Liver 1", force=True)
    finally:
        (site / "numpy-away").rename(site / "numpy")
    assert not (await models.versions.activate("Liver 1", force=True)).problem


async def test_a_back_end_that_is_installed_there_alone_is_offered_without_files(models: Models) -> None:
    await models.import_family(a_family().SerializeToString())
    await models.versions.set_runtime("Liver 1", RuntimeRecord("plain", interpreter="group"))
    assert not (await models.versions.activate("Liver 1", force=True)).problem


def test_a_back_end_tells_whether_it_takes_tiles_and_refuses_what_it_cannot_use(python: Path) -> None:
    group, ours = Interpreter("group", str(python)), Interpreter("ours", sys.executable)
    source = ModelSource("v", (), ("1",), module_file=Path(__file__))
    assert not group.check("grouped", source)
    assert ours.check("pytorch", source)
    with pytest.raises(errors.InvalidModel, match="needs a module file"):
        group.check("grouped", ModelSource("v", (), ("1",)))
    with pytest.raises(errors.InvalidModel, match="no back end 'nothing' in the interpreter group"):
        group.check("nothing", source)


@pytest.mark.parametrize("path", ["/bin/true", "/bin/false", "/etc/passwd", "/nowhere/python"])
def test_what_is_no_python_is_an_error_and_no_answer(path: str) -> None:
    with pytest.raises(errors.InvalidModel, match=rf"The interpreter odd \({path}\) cannot run models: ."):
        Interpreter("odd", path).versions()


def test_an_environment_that_greets_at_its_start_is_understood(python: Path, tmp_path: Path) -> None:
    greeting = script(tmp_path / "python", f'echo "Welcome to the group"; exec {python} "$@"')
    assert Interpreter("group", str(greeting)).versions() == Interpreter("group", str(python)).versions()


def test_one_that_hangs_while_it_is_asked_does_not_keep_the_server_from_stopping(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    hangs = Interpreter("hangs", str(script(tmp_path / "python", f"echo > {tmp_path}/begun; sleep 600")))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(hangs.versions)
        (tmp_path / "begun").read_text()
        hang_up()
        with pytest.raises(errors.InvalidModel, match="ended with exit code -9"):
            asked.result(10)


def test_a_task_names_no_class_of_this_python_s_paths() -> None:
    packed = pack({"path": Path("/a/b")})
    assert "pathlib" not in " ".join(str(argument) for _, argument, _ in pickletools.genops(packed))
    assert pickle.loads(packed) == {"path": Path("/a/b")}


def test_each_extra_of_a_back_end_is_known_by_its_requirements() -> None:
    known = surroundings.Surroundings.of("group", "/opt/a b/python")
    assert known.install("open_inference").startswith("'/opt/a b/python' -m pip install ")
    assert "urllib3" in known.install("open_inference")
    assert "dev" not in known.extras
    assert known.install("of another package").endswith("pip install …")
    assert known.back_ends["phantom"] == "segint_grpc.backends.phantom:Phantom"
