"""What an archive from elsewhere may hold, looked at before anything of it is read: reading trusts nothing.

Format: PKWARE's APPNOTE 6.3, as zipfile reads it, narrowed down: plain files only, stored or deflated.
"""

from __future__ import annotations

import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from segint_grpc import errors
from segint_grpc.zips import names

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

UNIX_MODE_SHIFT = 16
"""Where in external_attr the file's mode begins, if a Unix wrote it (APPNOTE 4.4.2.2)."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold. Weights hardly shrink: what shrinks by more than `ratio_max` is a bomb.

    `hidden`: names may begin with a dot.
    """

    entries_max: int = 1000
    unpacked_max_bytes: int = 256 * 1024**3
    ratio_max: int = 100
    ratio_from_bytes: int = 16 * 1024**2
    hidden: bool = False


Entries = dict[str, zipfile.ZipInfo]
"""The files of an archive, by name."""


def checked_entries(archive: zipfile.ZipFile, path: Path, limits: ArchiveLimits) -> Entries:
    """Return the files in `archive`, which lies at `path`, by name.

    Raises:
        InvalidModel: it has a link, a name that leads out of it, too much, or what only a bomb has.
    """
    entries = archive.infolist()
    if len(entries) > limits.entries_max:
        raise _refusal(path, f"it has {len(entries)} entries; the most are {limits.entries_max}")
    files = [entry for entry in entries if not _is_plain_folder(entry, limits)]
    for entry in files:
        if problem := _problem_with(entry, limits):
            raise _refusal(path, f"the entry {entry.orig_filename[:100]!r} {problem}")
    _check_sizes(files, path, limits)
    found = names.clash(entry.filename for entry in files)
    if found is not None:
        raise _refusal(path, f"the entries {found[0]!r} and {found[1]!r} would be one file")
    return {entry.filename: entry for entry in files}


def _is_plain_folder(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> UNIX_MODE_SHIFT)
    name_is_fine = not names.problem_with(entry.filename.removesuffix("/"), limits.hidden)
    is_folder = entry.filename.endswith("/") and entry.file_size == 0
    return is_folder and kind in (0, stat.S_IFDIR) and name_is_fine


def _problem_with(entry: zipfile.ZipInfo, limits: ArchiveLimits) -> str:
    # zipfile cuts a name at a NUL and turns backslashes round on Windows; what was written counts.
    if problem := names.problem_with(entry.orig_filename, limits.hidden):
        return f"has a name that is refused: it {problem}"
    if stat.S_IFMT(entry.external_attr >> UNIX_MODE_SHIFT) not in (0, stat.S_IFREG):
        return "is a link or another thing that is no plain file"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _METHODS:
        return "is compressed in another way than deflate"
    if entry.header_offset < 0:
        return "would begin before the archive does"
    large = entry.file_size > limits.ratio_from_bytes
    if large and entry.file_size > limits.ratio_max * max(entry.compress_size, 1):
        return f"would unpack from {entry.compress_size} bytes to {entry.file_size}: it looks like a bomb"
    return ""


def _check_sizes(files: list[zipfile.ZipInfo], path: Path, limits: ArchiveLimits) -> None:
    unpacked = sum(entry.file_size for entry in files)
    if unpacked > limits.unpacked_max_bytes:
        raise _refusal(path, f"it would unpack to {unpacked} bytes; the most are {limits.unpacked_max_bytes}")
    if sum(entry.compress_size for entry in files) > path.stat().st_size:
        raise _refusal(path, "its entries share their bytes: it looks like a bomb")


def _refusal(path: Path, why: str) -> errors.InvalidModel:
    return errors.InvalidModel(f"The archive {path} is refused: {why}.")
