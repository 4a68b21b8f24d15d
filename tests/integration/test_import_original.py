"""`segint import-original`: a small database with the original's tables, against a whole core."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result

from generated.radiomics.Model_pb2 import ModelFamily
from segint_grpc.cli.main import main
from tests.fakes.cores import running_core
from tests.fakes.stores import make_home
from tests.families import a_family, a_version

TABLES = {
    "modelfamily": "pb, canonical_name, language_code, name, description, clinical_domain, "
    "anatomical_region, primary_structure, modalities, gender",
    "bodypartexamined": "model_family_id, part_type",
    "modelchanneldescription": "model_family_id, channel_id, accepted_modalities_pb, is_axial, spacing_max_z",
    "modelversion": "model_family_id, model_version_id, model_version_desc, model_file, model_module, "
    "model_type, created_time, credits_req, major_version, minor_version, language_code",
    "structure": "model_version_id, name, color_r, color_g, color_b, structure_type, FMA_code, "
    "input_channel_id, structure_id",
    "feedback": "client_information, segmentation_id, segmentation_accepted, general_comments, general_score",
    "structurecomment": "feedback_id, structure_id, comments, score",
    "segmentationtelemetry": "client_software_version, upload_time_ms, segmentation_wait_ms, "
    "segmentation_down_ms, segmentation_retries, segmentation_model_id, segmentation_id, client_error, "
    "client_error_info",
    "segmentationjob": "model_id",
}
ROWS: list[tuple[str, tuple[object, ...]]] = [
    ("modelfamily", ("modelfamily/l.pb", "Livers", "en", "Our livers", "", "", "", "", "CT", 2)),
    ("bodypartexamined", (1, 56)),
    ("modelchanneldescription", (1, "ct", "[0]", 1, 5.0)),
    ("modelversion", (1, "Liver 1", "old", "", "", 0, "2020-08-12 15:46:00", 0.0, 3, 1, "en")),
    ("modelversion", (1, "Liver 2", "", "models/gone.pt", "", 2, None, 0.0, 4, 0, "en")),
    ("structure", (1, "Liver", 9, 8, 7, None, 7197, "ct", "1")),
    ("structure", (2, "Liver", 9, 8, 7, 1, 7197, "ct", "1")),
    ("modelfamily", ("", "Broken", "en", "", "", "", "", "", "CT", "unheard of")),
    ("feedback", ("4.1", "1234", 1, "fine", 0.0)),
    ("structurecomment", (1, "1", "good", 4.0)),
    ("segmentationtelemetry", ("4.1", 5, 6, 7, 0, "Liver 1", "1234", 0, "")),
    ("segmentationjob", ("Liver 1",)),
]


def original(folder: Path) -> Path:
    media = folder / "media" / "modelfamily"
    media.mkdir(parents=True)
    version = a_version("Liver 1")
    version.RegulatoryFrameworks.add()
    (media / "l.pb").write_bytes(a_family(versions=[version]).SerializeToString())
    with closing(sqlite3.connect(folder / "db.sqlite3")) as database, database:
        for table, columns in TABLES.items():
            database.execute(f"CREATE TABLE segint_api_{table} (id INTEGER PRIMARY KEY, {columns})")
        for table, values in ROWS:
            marks = ", ".join("?" * len(values))
            names = TABLES[table]
            database.execute(f"INSERT INTO segint_api_{table} ({names}) VALUES ({marks})", values)
    return folder


async def segint(home: Path, *words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, [*words, "--home", str(home)])


async def test_what_can_come_comes_and_the_rest_is_told(tmp_path: Path) -> None:
    async with running_core(make_home(tmp_path)) as core:
        home = core.home.path
        result = await segint(home, "import-original", str(original(tmp_path / "old")))
        assert result.exit_code == 0, result.output
        assert "Read: 1 families, 1 feedback, 1 telemetry." in result.output
        assert "Left out the family 'Broken'" in result.output
        assert "Nothing here runs the version 'Liver 2'" in result.output
        assert "1 jobs stay behind" in result.output

        got = json.loads((await segint(home, "model", "list", "--json")).output)
        family = next(entry for entry in got if entry["family"]["CanonicalName"] == "Livers")
        first = family["family"]["ModelVersions"][0]
        assert first["MajorVersion"] == 3
        assert first["CreatedOn"] == "2020-08-12T15:46:00Z"
        assert len(first["RegulatoryFrameworks"]) == 1
        assert first["Structures"][0]["Type"] == "Unknown"
        assert family["versions"][0]["runtime"]["backend"] == "phantom"
        (feedback,) = json.loads((await segint(home, "job", "feedback", "--json")).output)
        assert feedback["general_score"] is None
        assert feedback["structures"][0]["structure_score"] == 4.0
        again = await segint(home, "import-original", str(tmp_path / "old"))
        assert "- Livers: " in again.output
        assert ModelFamily.FromString((tmp_path / "old/media/modelfamily/l.pb").read_bytes())


async def test_a_folder_without_the_database_is_refused(tmp_path: Path) -> None:
    result = await segint(tmp_path / "home", "import-original", str(tmp_path))
    assert result.exit_code == 2
    assert "name the folder that holds db.sqlite3" in result.stderr
