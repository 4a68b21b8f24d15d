"""Reads the folder of an original research server: `db.sqlite3` and `media`. Nothing in it is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from generated.radiomics.Model_pb2 import (
    ModelFamily,
    ModelVersion,
    SegmentationFeedback,
    SegmentationTelemetry,
)
from segint_grpc import errors
from segint_grpc.client.original_rows import Row, build_family, build_version, check_version, put

PROJECT = "segint_research_django"
"""The folder of the original's repository that holds its database."""
PHANTOM = "phantom"
BACKENDS = {0: PHANTOM, 1: "pytorch"}
"""The original's model_type by number; 2 was meant for Tensorflow, and a box was drawn instead."""
TELEMETRY = {
    "upload_time_ms": "UploadTimeInMilliseconds",
    "segmentation_wait_ms": "SegmentationWaitInMilliseconds",
    "segmentation_down_ms": "SegmentationDownloadInMilliseconds",
    "segmentation_retries": "NumberOfRetries",
    "segmentation_model_id": "ModelID",
    "segmentation_id": "SegmentationID",
    "client_error": "ClientError",
    "client_error_info": "ClientErrorInformation",
}
FEEDBACK = {
    "segmentation_id": "SegmentationID",
    "segmentation_accepted": "SegmentationAccepted",
    "general_comments": "GeneralComments",
}
_FAULTY = (ValueError, TypeError, KeyError)


@dataclass(frozen=True)
class OriginalRuntime:
    """What ran a version: a back end's name and the files, where there were any."""

    version_id: str
    backend: str
    model: Path | None
    module: Path | None


@dataclass
class Original:
    """What was found; `notes` says for a person what could not be read, and why."""

    families: list[ModelFamily] = field(default_factory=list)
    runtimes: list[OriginalRuntime] = field(default_factory=list)
    feedback: list[SegmentationFeedback] = field(default_factory=list)
    telemetry: list[SegmentationTelemetry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_original(folder: Path) -> Original:
    """Return everything in `folder` that can be read; the repository's own folder will do as well.

    Raises:
        InvalidModel: there is no such database in it.
    """
    if (folder / PROJECT / "db.sqlite3").is_file():
        folder = folder / PROJECT
    path = folder / "db.sqlite3"
    if not path.is_file():
        raise errors.InvalidModel(f"{path} is not there; name the folder that holds db.sqlite3 and media.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return _Reader(database, folder / "media").read()
    except sqlite3.Error as error:
        raise errors.InvalidModel(f"{path} is no database of the original server: {error}.") from None


class _Reader:
    def __init__(self, database: sqlite3.Connection, media: Path) -> None:
        self._database = database
        self._media = media
        self._found = Original()

    def read(self) -> Original:
        for row in self._rows("modelfamily"):
            name = row["canonical_name"] or row["pb"] or row["id"]
            self._attempt(f"the family {name!r}", self._family, row)
        for row in self._rows("modelversion", "model_family_id", None):
            self._found.notes.append(
                f"Left out the version {row['model_version_id']!r}: it belongs to no family."
            )
        for row in self._rows("feedback"):
            self._attempt(f"feedback {row['id']}", self._feedback, row)
        for row in self._rows("segmentationtelemetry"):
            self._attempt(f"telemetry {row['id']}", self._telemetry, row)
        jobs = len(list(self._rows("segmentationjob")))
        if jobs:
            what = "job stays" if jobs == 1 else "jobs stay"
            self._found.notes.append(f"{jobs} {what} behind: scans and masks are patient data.")
        return self._found

    def _attempt(self, what: str, read: Callable[[Row], None], row: Row) -> None:
        try:
            read(row)
        except _FAULTY as error:
            self._found.notes.append(f"Left out {what}: {error}.")

    def _rows(self, table: str, column: str = "id", *values: object) -> Iterator[Row]:
        where = f" WHERE {column} IS ?" if values else ""
        # The names are this module's own.
        query = f"SELECT * FROM segint_api_{table}{where} ORDER BY 1"
        yield from (dict(row) for row in self._database.execute(query, values))

    def _family(self, row: Row) -> None:
        stored = self._stored(row)
        parts = list(self._rows("bodypartexamined", "model_family_id", row["id"]))
        channels = list(self._rows("modelchanneldescription", "model_family_id", row["id"]))
        family = build_family(row, parts, channels, stored)
        known = {version.ID: version for version in family.ModelVersions}
        versions = list(self._rows("modelversion", "model_family_id", row["id"]))
        if row["canonical_name"] or versions:
            del family.ModelVersions[:]
        for version in versions:
            what = f"the version {version['model_version_id']!r} of the family {family.CanonicalName!r}"
            self._attempt(what, partial(self._version, family, known), version)
        lost = known.keys() - {version.ID for version in family.ModelVersions}
        lost -= {version["model_version_id"] for version in versions}
        self._found.notes += [
            f"Left out the version {name!r}: only its family's .pb has it." for name in sorted(lost)
        ]
        self._found.families.append(family)

    def _stored(self, row: Row) -> bytes:
        """Return what a family was uploaded as, or nothing."""
        path = self._file(row["pb"])
        if row["pb"] and path is None:
            self._found.notes.append(f"The file {row['pb']} is not in {self._media}.")
        return path.read_bytes() if path else b""

    def _version(self, family: ModelFamily, known: Mapping[str, ModelVersion], row: Row) -> None:
        structures = list(self._rows("structure", "model_version_id", row["id"]))
        version = build_version(row, structures, known.get(row["model_version_id"]))
        check_version(version)
        self._mend_channels(version, family)
        family.ModelVersions.append(version)
        self._runtime(row)

    def _mend_channels(self, version: ModelVersion, family: ModelFamily) -> None:
        """Put structures on the only channel there is; the original never compared what was typed there."""
        channels = [channel.ChannelID for channel in family.FamilyDescription.InputChannels]
        for structure in version.Structures:
            if len(channels) == 1 and structure.InputChannelID not in ("", *channels):
                self._found.notes.append(
                    f"The structure {structure.Name!r} of the version {version.ID!r} was said to lie on the "
                    f"channel {structure.InputChannelID!r}; it lies on {channels[0]!r}, the only one."
                )
                structure.InputChannelID = channels[0]

    def _runtime(self, row: Row) -> None:
        name, files = row["model_version_id"], [row["model_file"], row["model_module"]]
        kind = row["model_type"]
        backend = PHANTOM if kind is None and not any(files) else BACKENDS.get(kind)
        if backend is None:
            what = "its type was never chosen" if kind is None else f"its type: {kind}"
            self._found.notes.append(f"Nothing here runs the version {name!r} ({what}).")
            return
        paths = [None if backend == PHANTOM else self._file(file) for file in files]
        missing = [file for file, path in zip(files, paths, strict=True) if file and not path]
        if missing and backend != PHANTOM:
            self._found.notes.append(
                f"Nothing runs the version {name!r} yet: {' and '.join(missing)} is not in {self._media}."
            )
            return
        self._found.runtimes.append(OriginalRuntime(name, backend, *paths))

    def _file(self, name: str | None) -> Path | None:
        """Return the file `name` of the media folder; none where the field is empty or it is not there."""
        path = (self._media / (name or "")).resolve()
        return path if path.is_relative_to(self._media.resolve()) and path.is_file() else None

    def _feedback(self, row: Row) -> None:
        feedback = SegmentationFeedback()
        put(feedback, FEEDBACK, row)
        feedback.ClientInformation.SoftwareVersion = row["client_information"] or ""
        # The original wrote 0 where nobody gave a score.
        if row["general_score"]:
            feedback.GeneralScore.Value = row["general_score"]
        for comment in self._rows("structurecomment", "feedback_id", row["id"]):
            added = feedback.StructureComments.add()
            put(added, {"structure_id": "StructureID", "comments": "Comments"}, comment)
            if comment["score"]:
                added.Score.Value = comment["score"]
        self._found.feedback.append(feedback)

    def _telemetry(self, row: Row) -> None:
        telemetry = SegmentationTelemetry()
        put(telemetry, TELEMETRY, row)
        telemetry.ClientInformation.SoftwareVersion = row["client_software_version"] or ""
        self._found.telemetry.append(telemetry)
