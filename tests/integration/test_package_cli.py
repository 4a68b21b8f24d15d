from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import ModelFamily, RegulatoryFramework
from segint_grpc.cli.main import main
from segint_grpc.client.package_server import PackageServer
from segint_grpc.home import Home
from segint_grpc.packaging.archive import open_package
from segint_grpc.packaging.manifest import MANIFEST
from tests.fakes.cores import running_core
from tests.families import a_family, a_version
from tests.packages import SHORT, a_folder

SEGINT = str(Path(sys.executable).parent / "segint")
MODULE = b"class Net:\n    def __call__(self, image):\n        return image > 0\n"
WITH_MODULE = SHORT.replace('"phantom"', '"pytorch"\nmodule_file = "code/net.py"\nparameters = { n = 3 }')

Segint = Callable[..., Awaitable[Result]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture
async def segint(home: Home) -> AsyncIterator[Segint]:
    """`segint model` against a core that runs in this process."""
    async with running_core(home):
        yield lambda *arguments: run(*arguments, "--home", home.path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "net", WITH_MODULE, {"code/net.py": MODULE})


async def run(*arguments: str | Path) -> Result:
    """Run in a thread, so that the core can answer meanwhile."""
    return await asyncio.to_thread(here, *arguments)


def here(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["model", *map(str, arguments)])


async def pushed(segint: Segint, *arguments: str | Path) -> Result:
    result = await segint("push", *arguments)
    assert result.exit_code == 0, result.output
    return result


async def pulled(segint: Segint, name: str, target: Path) -> bytes:
    result = await segint("pull", name, "--out", target, "--force")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{target}\n"
    return await asyncio.to_thread(target.read_bytes)


async def state_of(segint: Segint, version_id: str) -> str:
    families = json.loads((await segint("list", "--json")).output)
    versions = (version for family in families for version in family["versions"])
    return str(next(v for v in versions if v["version_id"] == version_id)["state"])


async def test_a_folder_is_pushed_approved_and_offered_and_a_second_push_leaves_it_so(
    segint: Segint, folder: Path
) -> None:
    first = await pushed(segint, folder, "--approve", "--activate", "--force")
    assert first.stdout == "Liver 1 runs on pytorch net.py and is offered, by force.\n"
    assert "The family Livers is new." in first.stderr
    assert "Sent net.py." in first.stderr
    assert "The code in net.py is approved." in first.stderr
    again = await pushed(segint, folder)
    assert again.stdout == first.stdout
    assert again.stderr.splitlines() == [
        "The family Livers is there as it is here.",
        "net.py is there already.",
        "Liver 1 runs so already.",
    ]


async def test_code_that_nobody_approved_does_not_run_and_the_push_says_how_to_approve_it(
    segint: Segint, folder: Path
) -> None:
    result = await segint("push", folder, "--activate")
    assert result.exit_code == 1
    assert "net.py carries code that nobody has approved." in result.stderr
    assert "segint model approve " in result.stderr
    assert result.stdout.startswith("Liver 1 is not offered: ")
    assert await state_of(segint, "Liver 1") == "VERSION_STATE_DRAFT"


async def test_what_is_pulled_is_what_was_pushed_and_pushes_as_such(
    segint: Segint, folder: Path, tmp_path: Path
) -> None:
    await pushed(segint, folder, "--approve", "--activate", "--force")
    first = await pulled(segint, "Livers", tmp_path / "a.segint.zip")
    with open_package(tmp_path / "a.segint.zip") as package, open_package(folder) as origin:
        assert package.manifest.family == origin.manifest.family
        assert package.manifest.policy == "enforce"
        assert package.names == (MANIFEST, "net.py")
        assert b"".join(package.chunks("net.py")) == MODULE
        assert package.manifest.runtimes["Liver 1"].parameters == {"n": 3}
    again = await pushed(segint, tmp_path / "a.segint.zip")
    assert "Liver 1 runs so already." in again.stderr
    assert await pulled(segint, "Livers", tmp_path / "b.segint.zip") == first


async def test_how_a_version_wants_its_scans_is_shown_pulled_and_kept_when_its_files_change(
    segint: Segint, tmp_path: Path
) -> None:
    tables = '[versions.input]\norientation = "LPS"\nspacing_mm = [1.5, 1.5, 3]\n'
    await pushed(segint, a_folder(tmp_path / "turned", SHORT + tables))
    shown = (await segint("get", "Livers")).stdout
    assert 'orientation = "LPS"' in shown
    assert "spacing_mm = [1.5, 1.5, 3.0]" in shown
    await pulled(segint, "Livers", tmp_path / "a.segint.zip")
    with open_package(tmp_path / "a.segint.zip") as package:
        handling = package.manifest.runtimes["Liver 1"].handling
    assert handling is not None
    assert handling.input.orientation == "LPS"
    assert "runs so already" in (await pushed(segint, tmp_path / "a.segint.zip")).stderr
    changed = await segint("set", "Liver 1", "--backend", "phantom", "--parameter", "n=3")
    assert changed.exit_code == 0, changed.output
    assert 'orientation = "LPS"' in (await segint("get", "Livers")).stdout
    await segint("set", "Liver 1", "--backend", "phantom", "--as-sent")
    assert "orientation" not in (await segint("get", "Livers")).stdout


async def test_what_a_back_end_cannot_do_for_a_manifest_is_told_when_it_is_pushed(
    segint: Segint, tmp_path: Path
) -> None:
    tables = "[versions.inference]\nflips = ['x']\n"
    result = await segint("push", a_folder(tmp_path / "tiles", SHORT + tables))
    assert result.exit_code != 0
    assert "inference is of no use to the back end phantom, which runs whole volumes." in result.stderr


async def test_another_version_of_a_family_joins_those_that_are_there(
    segint: Segint, folder: Path, tmp_path: Path
) -> None:
    await pushed(segint, folder, "--approve", "--activate", "--force")
    second = a_folder(tmp_path / "second", SHORT.replace("Liver 1", "Liver 2"))
    result = await pushed(segint, second, "--activate", "--force")
    assert "It keeps Liver 1, which the package does not have." in result.stderr
    assert result.stdout.startswith("Liver 2 runs on phantom and is offered")
    assert await state_of(segint, "Liver 1") == "VERSION_STATE_ACTIVE"
    await pulled(segint, "Livers", tmp_path / "both.segint.zip")
    with open_package(tmp_path / "both.segint.zip") as package:
        assert list(package.manifest.runtimes) == ["Liver 1", "Liver 2"]


async def test_what_a_manifest_cannot_say_is_pulled_and_pushed_to_the_byte(
    segint: Segint, home: Home, tmp_path: Path
) -> None:
    version = a_version("Liver 1")
    version.RegulatoryFrameworks.add(Status=RegulatoryFramework.Investigational, UDI="x")
    body = a_family(versions=[version]).SerializeToString() + b"\xa2\x06\x03new"
    (tmp_path / "livers.pb").write_bytes(body)
    assert (await segint("import", tmp_path / "livers.pb")).exit_code == 0
    target = tmp_path / "livers.segint.zip"
    await pulled(segint, "Livers", target)
    with open_package(target) as package:
        assert package.names == (MANIFEST, "family.pb")
        assert package.manifest.family == ModelFamily.FromString(body)
        assert b"".join(package.chunks("family.pb")) == body
        assert package.manifest.policy == "warn"
    assert (await segint("remove", "Livers")).exit_code == 0
    await pushed(segint, target)
    with PackageServer(home) as server:
        stored = await asyncio.to_thread(server.stored_family, "Livers")
    assert ModelFamily.FromString(stored.binary) == ModelFamily.FromString(body)


async def test_files_of_one_name_and_different_content_stay_apart(segint: Segint, tmp_path: Path) -> None:
    second = SHORT[SHORT.index("[[versions]]") :].replace("Liver 1", "Liver 2")
    text = WITH_MODULE + second.replace('"phantom"', '"pytorch"\nmodule_file = "other/net.py"')
    files = {"code/net.py": MODULE, "other/net.py": MODULE + b"# other\n"}
    await pushed(segint, a_folder(tmp_path / "two", text, files))
    await pulled(segint, "Livers", tmp_path / "two.segint.zip")
    with open_package(tmp_path / "two.segint.zip") as package:
        contents = [
            b"".join(package.chunks(package.manifest.runtimes[version_id].module_file))
            for version_id in ("Liver 1", "Liver 2")
        ]
    assert contents == list(files.values())


async def test_pull_writes_over_nothing_and_says_what_there_is(
    segint: Segint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = await segint("pull", "Centered Square")
    assert result.stdout == f"{tmp_path / 'Centered_Square.segint.zip'}\n"
    again = await segint("pull", "Centered Square")
    assert again.exit_code == 2
    assert "--force writes over it" in again.stderr
    missing = await segint("pull", "Lungs")
    assert missing.exit_code == 2
    assert "Centered Square" in missing.stderr
    assert not (tmp_path / "Lungs.segint.zip").exists()


async def test_a_manifest_with_mistakes_reaches_no_server(home: Home, folder: Path) -> None:
    (folder / MANIFEST).write_text(WITH_MODULE.replace("Abdomen", "Abdomn"))
    result = await run("push", folder, "--home", home.path)
    assert result.exit_code == 2
    assert "line 3: family.body_parts cannot hold 'Abdomn'. Did you mean Abdomen" in result.stderr


async def test_a_broken_archive_is_told_and_leaves_no_file_on_the_server(
    segint: Segint, folder: Path, home: Home, tmp_path: Path
) -> None:
    target = tmp_path / "net.segint.zip"
    assert here("pack", folder, "--out", target).exit_code == 0
    content = bytearray(target.read_bytes())
    content[content.index(MODULE)] ^= 1
    target.write_bytes(content)
    result = await segint("push", target)
    assert result.exit_code == 2
    assert "The file code/net.py of" in result.stderr
    assert list(home.models.iterdir()) == []


def test_pack_names_the_file_after_the_folder_and_says_what_comes_next(folder: Path) -> None:
    result = here("pack", folder)
    target = folder.with_name("net.segint.zip")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"Packed Liver 1 into {target}.",
        f"To bring it to a server: segint model push {target} --approve --activate",
    ]


def test_init_by_flags_writes_a_folder_that_packs_and_overwrites_nothing(tmp_path: Path) -> None:
    words = ("--name", "My Model", "--modality", "CT", "--body-part", "Chest", "--structure", "Bone")
    result = here("init", tmp_path / "my", *words)
    assert result.exit_code == 0, result.output
    assert "segint model check" in result.stdout
    assert here("pack", tmp_path / "my").exit_code == 0
    again = here("init", tmp_path / "my", *words)
    assert again.exit_code == 2
    assert "has segint-model.toml and model.py already; --force writes over them" in again.stderr
    assert here("init", tmp_path / "my", *words, "--force").exit_code == 0


def test_init_that_can_ask_nobody_says_which_flag_is_missing(tmp_path: Path) -> None:
    result = here("init", tmp_path / "my", "--name", "My Model")
    assert result.exit_code == 2
    assert "There is nobody to ask; say --modality." in result.stderr
    assert not (tmp_path / "my").exists()


def test_init_asks_what_no_flag_says_and_asks_again_after_a_slip(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [SEGINT, "model", "init", str(tmp_path / "my")],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(slave)
    # The name and what is drawn are taken as offered.
    os.write(master, b"\nct\nCT\nChets\nChest, Abdomen\n\n")
    stdout, stderr = process.communicate(timeout=60)
    os.close(master)
    assert process.returncode == 0, stderr
    assert "Did you mean CT or CTA?" in stderr
    assert "'Chets' is unknown. Did you mean Chest" in stderr
    with open_package(tmp_path / "my") as package:
        family = package.manifest.family
    assert family.CanonicalName == "my"
    assert len(family.FamilyDescription.Constraints.BodyPartsExamined) == 2
    assert [structure.Name for structure in family.ModelVersions[0].Structures] == ["Body", "Lungs", "Bone"]
    assert "Wrote segint-model.toml and model.py" in stdout


async def test_a_mirrored_model_is_pushed_but_offered_by_force_alone(segint: Segint, tmp_path: Path) -> None:
    folder = tmp_path / "mirrored"
    here("init", folder, "--name", "M", "--modality", "CT", "--body-part", "Chest", "--structure", "Body")
    module = folder / "model.py"
    module.write_text(module.read_text().replace("(image >= low", "(image[:, :, ::-1] >= low"))
    result = await segint("push", folder, "--approve", "--activate")
    assert result.exit_code == 1
    assert "segint: M 1.0 failed its check." in result.stderr
    assert await state_of(segint, "M 1.0") == "VERSION_STATE_DRAFT"
    forced = await pushed(segint, folder, "--activate", "--force")
    assert forced.stdout == "M 1.0 runs on pytorch model.py and is offered, by force.\n"


async def test_a_version_on_the_server_is_checked_by_its_id(segint: Segint, folder: Path) -> None:
    await pushed(segint, folder, "--approve")
    result = await segint("check", "Liver 1", "--json")
    assert json.loads(result.stdout)[0]["steps"]
    missing = await segint("check", "Liver 9")
    assert missing.exit_code == 2
    assert "Liver 9" in missing.stderr


async def test_a_file_that_broke_on_the_server_is_told_and_makes_no_archive(
    segint: Segint, folder: Path, home: Home, tmp_path: Path
) -> None:
    await pushed(segint, folder)
    (stored,) = home.models.glob("*/net.py")
    stored.write_bytes(MODULE[::-1])
    result = await segint("pull", "Livers", "--out", tmp_path / "out" / "livers.segint.zip")
    assert "cannot be written" in result.stderr
    result = await segint("pull", "Livers", "--out", tmp_path / "livers.segint.zip")
    assert result.exit_code == 2
    assert "is broken; upload it again" in result.stderr
    stored.unlink()
    result = await segint("pull", "Livers", "--out", tmp_path / "livers.segint.zip")
    assert "net.py is missing on the server; upload it again" in result.stderr
    assert sorted(os.listdir(tmp_path)) == ["home", "net"]
