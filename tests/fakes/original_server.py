"""The folder of an original research server, as its migrations and its users leave it: db.sqlite3 and media.

The tables have the columns, types and constraints of the public repository's last migration (2020-08-12).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = """
CREATE TABLE django_migrations (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app varchar(255) NOT NULL,
    name varchar(255) NOT NULL, applied datetime NOT NULL);
CREATE TABLE segint_api_modelfamily (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, pb varchar(100) NULL,
    canonical_name varchar(200) NOT NULL DEFAULT '', language_code varchar(200) NOT NULL DEFAULT '',
    name varchar(200) NOT NULL DEFAULT '', description varchar(200) NOT NULL DEFAULT '',
    clinical_domain varchar(200) NOT NULL DEFAULT '', anatomical_region varchar(200) NOT NULL DEFAULT '',
    primary_structure varchar(200) NOT NULL DEFAULT '', modalities varchar(200) NOT NULL DEFAULT '',
    gender integer NULL);
CREATE TABLE segint_api_bodypartexamined (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    part_type integer NULL, model_family_id integer NULL REFERENCES segint_api_modelfamily (id));
CREATE TABLE segint_api_modelchanneldescription (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel_id varchar(200) NOT NULL,
    spacing_min_x real NOT NULL DEFAULT 0, spacing_min_y real NOT NULL DEFAULT 0,
    spacing_min_z real NOT NULL DEFAULT 0, spacing_max_x real NOT NULL DEFAULT 0,
    spacing_max_y real NOT NULL DEFAULT 0, spacing_max_z real NOT NULL DEFAULT 0,
    dimensions_min_x real NOT NULL DEFAULT 0, dimensions_min_y real NOT NULL DEFAULT 0,
    dimensions_min_z real NOT NULL DEFAULT 0, dimensions_max_x real NOT NULL DEFAULT 0,
    dimensions_max_y real NOT NULL DEFAULT 0, dimensions_max_z real NOT NULL DEFAULT 0,
    req_original bool NOT NULL DEFAULT 1, is_axial bool NOT NULL DEFAULT 1,
    accepted_modalities_pb varchar(1000) NULL,
    model_family_id integer NULL REFERENCES segint_api_modelfamily (id));
CREATE TABLE segint_api_modelversion (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    model_version_id varchar(200) NULL, model_version_desc varchar(200) NULL, model_file varchar(100) NULL,
    model_module varchar(100) NULL, model_type integer NULL, created_time datetime NULL,
    credits_req real NOT NULL DEFAULT 0, major_version integer NOT NULL DEFAULT 0,
    minor_version integer NOT NULL DEFAULT 0, language_code varchar(200) NOT NULL DEFAULT 'en',
    model_family_id integer NULL REFERENCES segint_api_modelfamily (id));
CREATE TABLE segint_api_structure (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name varchar(200) NOT NULL,
    color_r integer NOT NULL DEFAULT 0, color_g integer NOT NULL DEFAULT 0, color_b integer NOT NULL
    DEFAULT 0, structure_type integer NULL,
    FMA_code integer NOT NULL DEFAULT 0, input_channel_id varchar(200) NOT NULL,
    structure_id varchar(200) NOT NULL,
    model_version_id integer NULL REFERENCES segint_api_modelversion (id));
CREATE TABLE segint_api_feedback (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    client_information varchar(200) NOT NULL, segmentation_id varchar(200) NOT NULL,
    segmentation_accepted bool NOT NULL, general_comments text NOT NULL, general_score real NULL);
CREATE TABLE segint_api_structurecomment (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    structure_id varchar(200) NOT NULL, comments text NOT NULL, score real NULL,
    feedback_id integer NOT NULL REFERENCES segint_api_feedback (id));
CREATE TABLE segint_api_segmentationtelemetry (id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    client_software_version varchar(200) NOT NULL, upload_time_ms integer NOT NULL,
    segmentation_wait_ms integer NOT NULL, segmentation_down_ms integer NOT NULL,
    segmentation_retries integer NOT NULL, segmentation_model_id varchar(200) NOT NULL,
    segmentation_id varchar(200) NOT NULL, client_error integer NOT NULL, client_error_info text NOT NULL);
CREATE TABLE segint_api_segmentationjob (segmentation_id char(32) NOT NULL PRIMARY KEY,
    model_id varchar(60) NOT NULL, model_input varchar(100) NOT NULL, time_field datetime NULL UNIQUE,
    model_output varchar(100) NOT NULL, error varchar(60) NULL);
"""

PHANTOM, PYTORCH, TENSORFLOW = 0, 1, 2


class OriginalServer:
    """Fills the folder of an original server, row by row, as its administrators did."""

    def __init__(self, folder: Path) -> None:
        """Make the empty database and the media folder in `folder`."""
        self.folder = folder
        self.media = folder / "media"
        self.media.mkdir(parents=True)
        with closing(sqlite3.connect(folder / "db.sqlite3")) as database:
            database.executescript(SCHEMA)

    def insert(self, table: str, **values: object) -> int:
        """Add a row to segint_api_`table`; return its number."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database, database:
            query = f"INSERT INTO segint_api_{table} ({names}) VALUES ({marks})"
            return database.execute(query, list(values.values())).lastrowid or 0

    def file(self, name: str, content: bytes) -> str:
        """Put a file below the media folder; return its name as a column holds it."""
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return name

    def family(self, canonical_name: str, pb: str | None = None, **values: object) -> int:
        """Add a family with one CT channel `ct`, for the chest."""
        facts = {"language_code": "en", "name": canonical_name, "modalities": "CT", "gender": 2}
        number = self.insert("modelfamily", canonical_name=canonical_name, pb=pb, **(facts | values))
        self.insert("bodypartexamined", model_family_id=number, part_type=20)
        self.insert(
            "modelchanneldescription", model_family_id=number, channel_id="ct", accepted_modalities_pb="[0]"
        )
        return number

    def version(self, family: int | None, version_id: str, **values: object) -> int:
        """Add a version with one structure, `Bone`."""
        facts = {"model_version_desc": "", "major_version": 1, "created_time": "2020-08-12 15:46:00.123456"}
        named = {"model_family_id": family, "model_version_id": version_id}
        number = self.insert("modelversion", **(facts | named | values))
        shown = {"name": "Bone", "color_r": 200, "structure_type": 1, "FMA_code": 5018}
        self.insert("structure", model_version_id=number, input_channel_id="ct", structure_id="bone", **shown)
        return number

    def feedback(self, segmentation_id: str, **values: object) -> int:
        """Add feedback that scores nothing."""
        facts = {"client_information": "4.1", "segmentation_accepted": 1, "general_comments": ""}
        facts |= {"general_score": 0.0}
        return self.insert("feedback", segmentation_id=segmentation_id, **(facts | values))

    def telemetry(self, segmentation_id: str, model_id: str, **values: object) -> int:
        """Add telemetry of a job that went well."""
        facts: dict[str, object] = {
            "client_software_version": "4.1",
            "client_error": 0,
            "client_error_info": "",
        }
        facts |= {"upload_time_ms": 5, "segmentation_wait_ms": 6, "segmentation_down_ms": 7}
        ids = {"segmentation_id": segmentation_id, "segmentation_model_id": model_id}
        return self.insert("segmentationtelemetry", segmentation_retries=0, **(facts | ids | values))
