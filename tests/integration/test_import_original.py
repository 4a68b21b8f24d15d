"""`segint import-original`: the folder of an original server, against a whole core."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import ModelFamily
from segint_grpc.cli.main import main
from segint_grpc.home import Home
from tests.fakes.cores import running_core
from tests.fakes.original_server import PHANTOM, PYTORCH, TENSORFLOW, OriginalServer
from tests.fakes.stores import make_home
from tests.families import a_family, a_structure, a_version

MODULE = b"""
import torch


class Net(torch.nn.Module):
    def forward(self, image):
        return image > 150
"""


@pytest.fixture
def old(tmp_path: Path) -> OriginalServer:
    return OriginalServer(tmp_path / "old")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with running_core(make_home(tmp_path)) as core:
        yield core.home


async def segint(home: Home, *words: str) -> Result:
    arguments = [*words, "--home", str(home.path)]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def bring(home: Home, old: OriginalServer) -> Any:
    result = await segint(home, "import-original", str(old.folder), "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


async def family(home: Home, name: str) -> Any:
    got = json.loads((await segint(home, "model", "list", "--json")).output)
    return next(entry for entry in got if entry["family"]["CanonicalName"] == name)


async def test_the_tables_count_over_the_pb_and_what_no_table_has_is_taken_from_it(
    home: Home, old: OriginalServer
) -> None:
    version = a_version("Liver 1")
    version.RegulatoryFrameworks.add()
    pb = old.file("modelfamily/l.pb", a_family(versions=[version]).SerializeToString())
    row = old.version(old.family("Livers", pb), "Liver 1", model_type=PHANTOM, major_version=3)
    old.insert("structure", model_version_id=row, name="Skin", input_channel_id="ct", structure_id="2")
    assert (await bring(home, old))["families"] == ["Livers"]
    found = await family(home, "Livers")
    (first,) = found["family"]["ModelVersions"]
    assert (first["MajorVersion"], first["CreatedOn"]) == (3, "2020-08-12T15:46:00.123456Z")
    assert len(first["RegulatoryFrameworks"]) == 1
    assert [structure["Type"] for structure in first["Structures"]] == ["Organ", "Unknown"]
    assert found["versions"][0]["runtime"]["backend"] == "phantom"
    assert not found["versions"][0].get("offered")
    assert ModelFamily.FromString((old.media / pb).read_bytes()).CanonicalName == "Livers"


async def test_a_pb_that_was_never_asked_for_and_so_has_no_fields_yet_comes_whole(
    home: Home, old: OriginalServer
) -> None:
    uploaded = a_family("Fresh", ["Fresh 1"])
    pb = old.file("modelfamily/f.pb", uploaded.SerializeToString())
    old.insert("modelfamily", pb=pb)
    assert (await bring(home, old))["families"] == ["Fresh"]
    assert (await family(home, "Fresh"))["family"]["ModelVersions"][0]["ID"] == "Fresh 1"


async def test_model_files_come_with_their_content_and_wait_for_approval(
    home: Home, old: OriginalServer
) -> None:
    module = old.file("models/net_Xk3d9Qz.py", MODULE)
    weights = old.file("models/net.pt", b"weights")
    files = {"model_file": weights, "model_module": module}
    old.version(old.family("Nets"), "Net 1", model_type=PYTORCH, **files)
    assert (await bring(home, old))["files"] == 2
    version = (await family(home, "Nets"))["versions"][0]
    assert version["runtime"]["module_file"]["sha256"] == hashlib.sha256(MODULE).hexdigest()
    assert version["runtime"]["model_file"]["name"] == "net.pt"
    assert "segint model approve" in version["problem"]


async def test_what_cannot_come_is_told_by_name_and_keeps_nothing_else_from_coming(
    home: Home, old: OriginalServer
) -> None:
    number = old.family("Livers")
    old.version(number, "Good", model_type=PHANTOM)
    module = old.file("models/net.py", MODULE)
    old.version(number, "Lost", model_type=PYTORCH, model_file="models/gone.pt", model_module=module)
    old.version(number, "Keras", model_type=TENSORFLOW, model_file="models/net.h5")
    old.version(number, "Untyped", model_module=module)
    old.version(number, "Odd", major_version="three")
    old.version(None, "Orphan", model_type=PHANTOM)
    old.family("Broken", gender="unheard of")
    old.family("Garbage", pb=old.file("modelfamily/g.pb", b"\xff\xff"))
    old.version(old.family("Escaped", pb="../../db.sqlite3"), "Escaped 1", model_type=PHANTOM)
    old.family("Empty")
    old.insert("segmentationjob", segmentation_id="0" * 32, model_id="Good", model_input="", model_output="")
    brought = await bring(home, old)
    assert brought["families"] == ["Livers", "Escaped"]
    for words in (
        "Nothing runs the version 'Lost' yet: models/gone.pt is not in",
        "Nothing here runs the version 'Keras' (its type: 2)",
        "Nothing here runs the version 'Untyped' (its type was never chosen)",
        "Left out the version 'Odd' of the family 'Livers'",
        "Left out the version 'Orphan': it belongs to no family",
        "Left out the family 'Broken'",
        "Left out the family 'Garbage': its .pb is no model family",
        "The file ../../db.sqlite3 is not in",
        "Empty: The family 'Empty' has no version",
        "1 job stays behind",
    ):
        assert any(words in note for note in brought["notes"]), (words, brought["notes"])
    runtimes = {v["version_id"]: "runtime" in v for v in (await family(home, "Livers"))["versions"]}
    assert runtimes == {"Good": True, "Lost": False, "Keras": False, "Untyped": False}


async def test_one_broken_version_does_not_keep_its_family_from_coming(
    home: Home, old: OriginalServer
) -> None:
    number = old.family("Livers")
    stray = old.version(number, "Stray", model_type=PHANTOM)
    old.insert("structure", model_version_id=stray, name="L", input_channel_id="CT", structure_id="2")
    twice = old.version(number, "Twice", model_type=PHANTOM)
    old.insert("structure", model_version_id=twice, name="L", input_channel_id="ct", structure_id="bone")
    old.insert("modelversion", model_family_id=number, model_version_id="Bare")
    old.insert("modelversion", model_family_id=number)
    brought = await bring(home, old)
    assert brought["families"] == ["Livers"]
    assert sorted(brought["notes"]) == [
        "Left out the version 'Bare' of the family 'Livers': it has no structure.",
        "Left out the version 'Twice' of the family 'Livers': two of its structures have the id 'bone'.",
        "Left out the version None of the family 'Livers': it has no id.",
        "The structure 'L' of the version 'Stray' was said to lie on the channel 'CT'; it lies on 'ct', the "
        "only one.",
    ]
    (version,) = (await family(home, "Livers"))["family"]["ModelVersions"]
    assert [structure["InputChannelID"] for structure in version["Structures"]] == ["ct", "ct"]


async def test_a_version_that_only_the_pb_has_is_told(home: Home, old: OriginalServer) -> None:
    both = a_family("Livers", [a_version("Liver 1", [a_structure()]), a_version("Liver 2")])
    pb = old.file("modelfamily/l.pb", both.SerializeToString())
    old.version(old.family("Livers", pb), "Liver 1")
    brought = await bring(home, old)
    assert "Left out the version 'Liver 2': only its family's .pb has it." in brought["notes"]
    assert (await family(home, "Livers"))["versions"][0]["runtime"]["backend"] == "phantom"


async def test_missing_scores_stay_missing_and_telemetry_keeps_its_figures(
    home: Home, old: OriginalServer
) -> None:
    said = old.feedback("1234", general_comments="fine")
    old.insert("structurecomment", feedback_id=said, structure_id="1", comments="good", score=4.0)
    old.insert("structurecomment", feedback_id=said, structure_id="2", comments="", score=0.0)
    old.telemetry("1234", "Liver 1", client_error_info="<b>none</b>")
    brought = await bring(home, old)
    assert (brought["feedback"], brought["telemetry"]) == (1, 1)
    (feedback,) = json.loads((await segint(home, "job", "feedback", "--json")).output)
    assert feedback["general_score"] is None
    assert [entry["structure_score"] for entry in feedback["structures"]] == [4.0, None]
    (telemetry,) = json.loads((await segint(home, "job", "telemetry", "--json")).output)
    assert telemetry["upload_ms"] == 5


async def test_a_second_import_brings_nothing_twice_and_changes_nothing(
    home: Home, old: OriginalServer
) -> None:
    files = {"model_file": old.file("models/net.pt", b"w"), "model_module": old.file("models/net.py", MODULE)}
    old.version(old.family("Nets"), "Net 1", model_type=PYTORCH, **files)
    for comment in ("fine", "fine", "bad"):
        old.feedback("1234", general_comments=comment)
    old.telemetry("1234", "Net 1")
    await bring(home, old)
    before = await family(home, "Nets")
    old.feedback("1234", general_comments="late")
    again = await bring(home, old)
    assert (again["families"], again["files"]) == ([], 0)
    assert (again["feedback"], again["telemetry"]) == (1, 0)
    assert "Nets: it is here already." in again["notes"]
    assert await family(home, "Nets") == before


async def test_an_import_that_was_cut_short_is_finished_by_the_next(home: Home, old: OriginalServer) -> None:
    old.version(old.family("Nets"), "Net 1", model_type=PYTORCH, model_module="models/net.py")
    first = await bring(home, old)
    assert "Nothing runs the version 'Net 1' yet" in first["notes"][0]
    old.file("models/net.py", MODULE)
    await bring(home, old)
    assert (await family(home, "Nets"))["versions"][0]["runtime"]["module_file"]["name"] == "net.py"


async def test_a_family_that_somebody_has_made_here_stays_theirs(home: Home, old: OriginalServer) -> None:
    old.version(old.family("Centered Square"), "Other", model_type=PHANTOM)
    before = await family(home, "Centered Square")
    assert "Centered Square: a family of that name is here" in (await bring(home, old))["notes"][0]
    assert await family(home, "Centered Square") == before


async def test_a_person_is_told_in_lines(home: Home, old: OriginalServer) -> None:
    old.version(old.family("Livers"), "Liver 1", model_type=PHANTOM)
    (old.folder / "repository").mkdir()
    old.folder.rename(old.folder.parent / "segint_research_django")
    result = await segint(home, "import-original", str(old.folder.parent))
    assert "Families: Livers." in result.output
    assert "Files: 0. Feedback: 0. Telemetry: 0." in result.output
    assert result.output.endswith("Next: segint model list\n")


async def test_a_folder_without_the_database_is_refused(tmp_path: Path) -> None:
    result = await segint(Home(tmp_path / "home"), "import-original", str(tmp_path))
    assert result.exit_code == 2
    assert "name the folder that holds db.sqlite3" in result.stderr


async def test_another_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").write_bytes(b"no database, but long enough to be looked at" * 20)
    result = await segint(Home(tmp_path / "home"), "import-original", str(tmp_path))
    assert result.exit_code == 2
    assert "no database of the original server" in result.stderr
