"""`segint model` against a whole core: what people type, and what they read."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from segint_grpc.cli.main import main
from segint_grpc.home import Home
from tests.fakes.cores import running_core
from tests.fakes.stores import make_home

MODULE = "class Net:\n    def __call__(self, image):\n        return image > 150\n"
FAMILY = {
    "CanonicalName": "Livers",
    "ModelVersions": [
        {"ID": "Liver 1", "Structures": [{"Name": "Liver"}]},
        {"ID": "Liver 2", "Structures": [{"Name": "Liver"}]},
    ],
}

Segint = Callable[..., Awaitable[Result]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


@pytest.fixture
async def segint(home: Home) -> AsyncIterator[Segint]:
    """`segint model` with a core that answers meanwhile."""

    async def run(*arguments: str | Path) -> Result:
        words = ["model", *map(str, arguments), "--home", str(home.path)]
        return await asyncio.to_thread(CliRunner().invoke, main, words)

    async with running_core(home):
        yield run


@pytest.fixture
def family_file(tmp_path: Path) -> Path:
    path = tmp_path / "livers.json"
    path.write_text(json.dumps(FAMILY))
    return path


@pytest.fixture
def module_file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(MODULE)
    return path


async def done(result: Awaitable[Result]) -> str:
    ended = await result
    assert ended.exit_code == 0, ended.output
    return ended.stdout


async def create(segint: Segint, family_file: Path) -> str:
    return await done(segint("create", family_file, "--modality", "ct", "--body-part", "abdomen"))


async def test_a_family_is_made_shown_changed_and_brought_back(
    segint: Segint, family_file: Path, tmp_path: Path
) -> None:
    refused = await segint("create", family_file, "--modality", "CTT")
    assert refused.exit_code == 2
    assert "modalities: There is no 'CTT'; there is CT" in refused.stderr
    assert "body_parts: Say for which body parts" in refused.stderr

    said = await create(segint, family_file)
    assert said.startswith("Made Livers.\nLiver 1 is not offered: Nothing runs it yet")
    shown = await done(segint("get", "Livers"))
    assert shown.startswith("Livers, revision ")
    assert shown.splitlines()[0].endswith("constraints: enforce")
    assert "Liver 1\tdraft" in shown

    copy = tmp_path / "copy.json"
    advice = await done(segint("get", "Livers", "--out", copy))
    revision = advice.split()[-1]
    changed = json.loads(copy.read_text())
    changed["FamilyDescription"]["Description"] = "Of adults."
    copy.write_text(json.dumps(changed))
    assert (await done(segint("update", copy, "--revision", revision))).startswith("Updated Livers.")
    again = await segint("update", copy, "--revision", revision)
    assert again.exit_code == 2
    assert "somebody has changed it meanwhile" in again.stderr
    stored = json.loads(await done(segint("get", "Livers", "--json")))
    assert stored["family"]["FamilyDescription"]["Description"] == "Of adults."

    binary = tmp_path / "copy.pb"
    advice = await done(segint("get", "Livers", "--out", binary))
    await done(segint("update", binary, "--revision", advice.split()[-1], "--policy", "off"))
    assert "constraints: off" in await done(segint("get", "Livers"))


async def test_a_version_goes_from_a_draft_to_clients_and_back(
    segint: Segint, family_file: Path, module_file: Path
) -> None:
    await create(segint, family_file)
    said = await done(
        segint("set", "Liver 1", "--backend", "pytorch", "--module", module_file, "--entry", "Net")
    )
    digits = said.split()[-1]
    assert f"segint model approve {digits}" in said
    assert f"net.py\t{digits}\t{len(MODULE)}\tto be approved\tLiver 1" in await done(segint("files"))
    assert "It is used by Liver 1." in await done(segint("approve", digits))
    assert f"net.py\t{digits}\t{len(MODULE)}\tapproved\tLiver 1" in await done(segint("files"))

    refused = await segint("activate", "Liver 1")
    assert refused.exit_code == 2
    assert "segint model check 'Liver 1'" in refused.stderr
    assert "Liver 1 passed its check." in await done(segint("check", "Liver 1"))
    assert "Liver 1\tchecked" in await done(segint("get", "Livers"))
    said = await done(segint("activate", "Liver 1", "--reason", "the study begins"))
    assert said == "Liver 1 runs on pytorch net.py and is offered.\n"
    assert "Liver 1\tactive (default)" in await done(segint("get", "Livers"))

    said = await done(segint("set", "Liver 2", "--backend", "phantom", "--activate", "--force"))
    assert said == "Liver 2 runs on phantom and is offered, by force.\n"
    assert await done(segint("default", "Liver 2")) == "Liver 2 is the default of Livers.\n"
    assert await done(segint("default", "--back", "Livers")) == "Liver 1 is the default of Livers.\n"
    assert "It is retired." in await done(segint("retire", "Liver 1"))

    assert "Liver 1 is loaded" in await done(segint("warm", "Liver 1"))
    assert await done(segint("unload", "Liver 1")) == "Processes of Liver 1 ended: 1.\n"
    assert re.search(r"^Liver 1\t0\t0\t0\t0\t\t\t\t\d+\.\d\d\t\d+$", await done(segint("stats")), re.M)
    (told,) = json.loads(await done(segint("stats", "Liver 1", "--json")))
    assert told.keys() == {"version_id", "load"}
    assert told["load"].keys() == {"loaded_at", "seconds", "memory_bytes", "device"}


async def test_whatever_is_changed_is_told_to_programs_as_json(
    segint: Segint, family_file: Path, module_file: Path, home: Home, tmp_path: Path
) -> None:
    async def told(*words: object) -> Any:
        return json.loads(await done(segint(*words, "--json")))

    made = await told("create", family_file, "--modality", "ct", "--body-part", "abdomen")
    assert made["family"]["CanonicalName"] == "Livers"
    assert (await told("set", "Liver 1", "--backend", "phantom"))["state"] == "VERSION_STATE_DRAFT"
    assert (await told("activate", "Liver 1", "--force"))["offered"]
    assert (await told("set", "Liver 2", "--backend", "phantom", "--activate", "--force"))["forced"]
    assert (await told("default", "Liver 2"))["default_version_id"] == "Liver 2"
    assert "offered" not in await told("retire", "Liver 1")
    assert int((await told("warm", "Liver 2"))["memory_bytes"]) > 0
    assert await told("unload", "Liver 2") == {"processes_ended": 1}

    file = await told("upload", module_file)
    assert (await told("approve", file["sha256"]))["approved_at"]
    await asyncio.to_thread((home.inbox / "large.bin").write_bytes, b"large")
    assert (await told("adopt", "large.bin"))["size_bytes"] == "5"

    binary = tmp_path / "copy.pb"
    advice = await done(segint("get", "Livers", "--out", binary))
    assert (await told("update", binary, "--revision", advice.split()[-1]))["default_version_id"] == "Liver 2"
    assert await told("remove", "Livers") == {}
    assert (await told("import", binary))["family"]["CanonicalName"] == "Livers"


async def test_set_checks_before_it_activates_and_says_what_failed(
    segint: Segint, family_file: Path, module_file: Path
) -> None:
    await create(segint, family_file)
    words = ("--backend", "pytorch", "--module", module_file, "--entry", "Net", "--approve", "--activate")
    said = await segint("set", "Liver 1", *words)
    assert said.exit_code == 0, said.output
    assert said.stdout == "Liver 1 runs on pytorch net.py and is offered.\n"
    mirrored = MODULE.replace("image > 150", "(image > 150)[:, :, ::-1].copy()")
    await asyncio.to_thread(module_file.write_text, mirrored)
    failed = await segint("set", "Liver 2", *words)
    assert failed.exit_code == 1
    assert "Liver 2 failed its check." in failed.stderr
    assert "Liver 2\tdraft" in await done(segint("get", "Livers"))


async def test_files_come_by_upload_or_from_the_inbox(segint: Segint, home: Home, tmp_path: Path) -> None:
    (tmp_path / "small.bin").write_bytes(b"small")
    (home.inbox / "large.bin").write_bytes(b"large")
    assert (await done(segint("upload", tmp_path / "small.bin"))).startswith("small.bin ")
    assert "large.bin\t\t\t\tin the inbox" in await done(segint("files"))
    assert (await done(segint("adopt", "large.bin"))).startswith("large.bin ")
    listed = json.loads(await done(segint("files", "--json")))
    assert [file["file"]["name"] for file in listed["files"]] == ["small.bin", "large.bin"]
    assert "inbox" not in listed
    missing = await segint("adopt", "large.bin")
    assert (missing.exit_code, "there is nothing" in missing.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("get", "Nothing"), "No model family 'Nothing' is here; there is 'Centered Square'"),
        (("approve", "1234"), "at least 8 digits"),
        (("approve", "12345678"), "No file with a SHA-256 of 12345678"),
        (("activate", "Nothing"), "No model 'Nothing' is here"),
        (("default",), "either a version, or with --back a family"),
        (("default", "--back", "Centered Square"), "no other default"),
        (("warm", "Nothing"), "No model 'Nothing' is here"),
        (("stats", "Nothing"), "There is no version 'Nothing'"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    segint: Segint, arguments: tuple[str, ...], sentence: str
) -> None:
    result = await segint(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output
