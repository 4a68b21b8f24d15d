"""Whether a file of torch.save carries code, found out from its pickle's opcodes without running any.

A pickle runs what it names (https://docs.python.org/3/library/pickle.html). One that names nothing but what
plain tensors are rebuilt with is loaded with `weights_only=True`, which refuses the rest; whatever else it
names, or whatever cannot be read here, counts as code. Needs neither torch nor the file's classes.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO

HARMLESS = re.compile(
    r"collections OrderedDict|_codecs encode|torch\._utils _rebuild_(tensor|tensor_v2|parameter)"
    r"|torch (Size|device|[a-z]+\d+\w*|\w+Storage)|torch\.storage (Untyped|Typed)Storage"
    r"|torch\.nn\.parameter Parameter"
)
"""Module and name, as pickletools shows them, of what rebuilds tensors."""

PICKLE_BYTES_MAX = 64 * 1024 * 1024
"""Weights lie outside the pickle; one that is longer is looked at no further."""

LEGACY_PICKLES = 5
"""What torch.save wrote before its zip files: magic number, protocol, system, object, storage keys."""

_NAMING = {"GLOBAL", "INST"}
_UNREADABLE = {"STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
"""Opcodes that name by what is on the stack or in a registry."""


def carries_code(path: Path) -> bool:
    """Return whether loading the torch file `path` may run code that it carries."""
    try:
        if not zipfile.is_zipfile(path):
            with path.open("rb") as file:
                return any(_names_code(file) for _ in range(LEGACY_PICKLES))
        with zipfile.ZipFile(path) as archive:
            return _archive_carries_code(archive)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return True


def _archive_carries_code(archive: zipfile.ZipFile) -> bool:
    pickles = [entry for entry in archive.infolist() if entry.filename.endswith(".pkl")]
    names = [entry.filename.rpartition("/")[2] for entry in pickles]
    # TorchScript brings others, and is code itself.
    if names != ["data.pkl"] or pickles[0].file_size > PICKLE_BYTES_MAX:
        return True
    with archive.open(pickles[0]) as file:
        return _names_code(io.BytesIO(file.read(PICKLE_BYTES_MAX)))


def _names_code(file: IO[bytes]) -> bool:
    """Return whether the next pickle in `file` names anything that is not harmless; raises ValueError."""
    for opcode, argument, position in pickletools.genops(file):
        if opcode.name in _UNREADABLE or (position or 0) > PICKLE_BYTES_MAX:
            return True
        if opcode.name in _NAMING and not HARMLESS.fullmatch(str(argument)):
            return True
    return False
