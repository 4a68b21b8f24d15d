"""The media files: posted bodies, results, voxels, model files, and copies of the families.

A file gets its name only when it is whole and on disk (`Media.publish`), so nothing that has been
acknowledged is lost and nothing half-written is ever read. Voxels alone are a cache: they are made again
from the body when they are missing.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from enum import StrEnum
from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.home import Home
from segint_grpc.store.durable import PART, disk_errors, publish, sync_folder

JOB_FILE = re.compile(r"(?P<job>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.pb")
MODEL_FOLDER = re.compile(r"[0-9a-f]{64}")
STAGED = ".backup-"
"""How the names of folders begin in which a backup under way has second names for files."""
MODEL_NAME = re.compile(r"(?!\.)[\w .+()-]{1,120}", re.ASCII)
FAMILY_NAME_LENGTH_MAX = 50


class MediaKind(StrEnum):
    """What a file is, and so in which folder it lies."""

    BODY = "body"
    RESULT = "result"
    MODEL = "model"
    FAMILY = "family"


class Media:
    """The media folders of one home."""

    def __init__(self, home: Home) -> None:
        """Use the folders of `home`, which must exist."""
        self._home = home
        self._folders = {
            MediaKind.BODY: home.bodies,
            MediaKind.RESULT: home.results,
            MediaKind.MODEL: home.models,
            MediaKind.FAMILY: home.families,
        }

    def body_path(self, job_id: str) -> Path:
        """Return where the posted body (a serialized Radiomics.ModelInput) of a job lies."""
        return self._home.bodies / f"{job_id}.pb"

    def result_path(self, job_id: str) -> Path:
        """Return where the result (a serialized Radiomics.ModelOutput) of a job lies."""
        return self._home.results / f"{job_id}.pb"

    def voxel_path(self, job_id: str, channel: int) -> Path:
        """Return where the raw voxels of a job's channel, counted from 0 as posted, lie."""
        return self._home.voxels / f"{job_id}-{channel}.raw"

    def model_file_path(self, file: FileRecord) -> Path:
        """Return where a model file lies: under its own name, in a folder named by its content.

        Raises:
            InvalidModel: its name cannot be a file's, or its SHA-256 is none.
        """
        if not MODEL_FOLDER.fullmatch(file.sha256) or not MODEL_NAME.fullmatch(file.name):
            raise errors.InvalidModel(
                f"A model file cannot have the name {file.name!r}; use letters and digits."
            )
        return self._home.models / file.sha256 / file.name

    def unpacked_path(self, file: FileRecord) -> Path:
        """Return where a model file is unpacked, if it is a folder's zip: a cache, named by its content."""
        return self._home.unpacked / file.sha256

    def family_path(self, canonical_name: str) -> Path:
        """Return where a family's copy lies: under its own name as far as a file can have it."""
        safe = re.sub(r"[^\w .-]|^\.|^$", "_", canonical_name)[:FAMILY_NAME_LENGTH_MAX]
        if safe != canonical_name:
            safe += "-" + hashlib.sha256(canonical_name.encode()).hexdigest()[:8]
        return self._home.families / f"{safe}.pb"

    def temporary(self, kind: MediaKind) -> Path:
        """Return a new name for a file of `kind` while it is written, beside its final one."""
        return self._folders[kind] / f".{secrets.token_hex(16)}{PART}"

    def publish(self, temporary: Path, final: Path) -> None:
        """Give the finished file `temporary` its name, durably; its folder is made where it is missing.

        Raises:
            DiskFull: there is no room to write it out.
        """
        with disk_errors():
            if not final.parent.is_dir():
                final.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(final.parent.parent)
        publish(temporary, final)

    def write_family_copy(self, canonical_name: str, body: bytes) -> Path:
        """Write a family's own bytes where people look for them; returns where. Raises as `publish`."""
        temporary, final = self.temporary(MediaKind.FAMILY), self.family_path(canonical_name)
        with disk_errors():
            temporary.write_bytes(body)
        self.publish(temporary, final)
        return final

    def remove_family_copy(self, canonical_name: str) -> None:
        """Remove what `write_family_copy` wrote, if it is there."""
        self.family_path(canonical_name).unlink(missing_ok=True)

    def remove_body(self, job_id: str) -> None:
        """Remove a job's posted body, if it is there."""
        self.body_path(job_id).unlink(missing_ok=True)

    def remove_result(self, job_id: str) -> None:
        """Remove a job's result, if it is there; who is reading it reads on."""
        self.result_path(job_id).unlink(missing_ok=True)

    def remove_voxels(self, job_id: str) -> None:
        """Remove the voxels of every channel of a job."""
        for path in self._home.voxels.glob(f"{job_id}-*.raw"):
            path.unlink(missing_ok=True)

    def remove_model_file(self, file: FileRecord) -> None:
        """Remove a model file, and its folder when that was the last one in it."""
        path = self.model_file_path(file)
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()
            shutil.rmtree(self.unpacked_path(file), ignore_errors=True)

    def sweep(self, bodies: Collection[str], results: Collection[str], files: Collection[FileRecord]) -> int:
        """Remove what no row knows of, and return how many files that were. Only at start-up.

        Kept are the bodies and results of the job ids `bodies` and `results`, and the model files `files`.
        Every voxel file goes, every file that was being written, and what was unpacked of models that are
        gone. Files that are none of ours stay.
        """
        orphans = [*self._unfinished(), *(path for path in self._home.voxels.iterdir() if path.is_file())]
        orphans += _orphans(self._home.bodies, bodies)
        orphans += _orphans(self._home.results, results)
        orphans += self._orphan_model_files(files)
        for path in orphans:
            path.unlink(missing_ok=True)
        for folder in (*self._home.media.glob(f"{STAGED}*"), *self._orphan_unpacked(files)):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in self._model_folders():
            if not any(folder.iterdir()):
                folder.rmdir()
        return len(orphans)

    def free_bytes(self) -> int:
        """Return how much room there is for scans: of the media's and the voxels' disk, the fuller one's."""
        return min(shutil.disk_usage(folder).free for folder in (self._home.media, self._home.voxels))

    def disk_bytes(self) -> tuple[int, int]:
        """Return the size of the disk that the media lie on, and how much of it is free."""
        usage = shutil.disk_usage(self._home.media)
        return usage.total, usage.free

    def _unfinished(self) -> Iterator[Path]:
        for folder in self._folders.values():
            yield from folder.glob(f".*{PART}")

    def _model_folders(self) -> list[Path]:
        folders = (path for path in self._home.models.iterdir() if path.is_dir())
        return [path for path in folders if MODEL_FOLDER.fullmatch(path.name)]

    def _orphan_unpacked(self, files: Collection[FileRecord]) -> Iterator[Path]:
        known = {file.sha256 for file in files}
        for path in list(self._home.unpacked.iterdir()):
            half = path.name.startswith(".")
            if half or (MODEL_FOLDER.fullmatch(path.name) and path.name not in known):
                yield path

    def _orphan_model_files(self, files: Collection[FileRecord]) -> list[Path]:
        known = {self.model_file_path(file) for file in files}
        return [path for folder in self._model_folders() for path in folder.iterdir() if path not in known]


def _orphans(folder: Path, job_ids: Collection[str]) -> list[Path]:
    names = ((path, JOB_FILE.fullmatch(path.name)) for path in folder.iterdir())
    return [path for path, match in names if match and match["job"] not in job_ids]
