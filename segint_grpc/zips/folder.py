"""A folder as one file: a zip in which equal content gives equal bytes, whenever and wherever it is made.

A version has one model file. A model that is a folder becomes one so, and is stored, approved by its content,
sent and backed up like every other.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from segint_grpc import errors
from segint_grpc.zips import names
from segint_grpc.zips.checked import UNIX_MODE_SHIFT, ArchiveLimits

FOLDER_LIMITS = ArchiveLimits(entries_max=20_000, hidden=True)
LEFT_OUT = frozenset({".git", "__pycache__", "__MACOSX", ".DS_Store", "Thumbs.db", ".ipynb_checkpoints"})
"""What systems leave behind in folders, and no model reads."""

_UNIX = 3
"""The system whose file mode the upper half of external_attr is (APPNOTE 4.4.2.2)."""
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 1024 * 1024


def write_folder_zip(folder: Path, target: Path) -> None:
    """Write the files of `folder` to the zip `target`, their names relative to it.

    Entries are stored: weights hardly shrink, and deflate's output depends on the library.

    Raises:
        InvalidModel: there is no file in it, a name cannot be kept, or something is no plain file.
        Unwritable: `target` cannot be written.
    """
    files = sorted(_files(folder), key=lambda found: found.relative_to(folder).as_posix())
    if not files:
        raise errors.InvalidModel(f"The folder {folder} has no files.")
    if len(files) > FOLDER_LIMITS.entries_max:
        raise errors.InvalidModel(
            f"The folder {folder} has {len(files)} files; a model has {FOLDER_LIMITS.entries_max} at most."
        )
    try:
        with zipfile.ZipFile(target, "w") as archive:
            for path in files:
                _add(archive, path, path.relative_to(folder).as_posix())
    except OSError as error:
        raise errors.Unwritable(
            f"The folder {folder} cannot be made one file, {target} ({error.strerror or error})."
        ) from None


def plain_entry(name: str, size_bytes: int) -> zipfile.ZipInfo:
    """Return the entry of a plain file: stored, without the time that would tell one copy from another."""
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = _UNIX
    info.external_attr = (stat.S_IFREG | 0o644) << UNIX_MODE_SHIFT
    info.file_size = size_bytes
    return info


def own_files(names: Collection[str]) -> dict[str, str]:
    """Return name → what the zip calls it, of the files `names` of a folder's zip.

    What systems leave behind is no part of it, nor is the one top folder in which all may lie.
    """
    inside = [name for name in names if not LEFT_OUT & set(name.split("/"))]
    has_top = len({name.partition("/")[0] for name in inside}) == 1 and all("/" in name for name in inside)
    return {name.partition("/")[2] if has_top else name: name for name in inside}


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in LEFT_OUT:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        else:
            yield path


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    if problem := names.problem_with(name, FOLDER_LIMITS.hidden):
        raise errors.InvalidModel(f"The file {path} cannot be sent under its name: it {problem}.")
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise errors.InvalidModel(
            f"{path} is a link or another thing that is no plain file; put a copy of what it leads to there."
        )
    with path.open("rb") as file, archive.open(plain_entry(name, path.stat().st_size), "w") as entry:
        shutil.copyfileobj(file, entry, _CHUNK_BYTES)
