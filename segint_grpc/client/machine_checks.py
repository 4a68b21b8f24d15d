"""What `segint doctor` looks at without a server: the disk and the home."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from segint_grpc.client.findings import Finding, ok, problem, warning
from segint_grpc.home import Home
from segint_grpc.settings import MIB, Settings

GIB = 1024 * MIB
OTHERS = 0o077
SCARCE = 2
"""Free disk is scarce below this many times what the server asks for."""


def check_disk(settings: Settings, home: Home) -> Finding:
    """Look at the free space (bytes) where the home lies or will lie."""
    folder = _nearest(home.path)
    free_bytes, least = shutil.disk_usage(folder).free, settings.free_disk_min_bytes
    text = f"{free_bytes / GIB:.1f} GiB are free on the disk of {home.path}"
    if free_bytes < least:
        wanted = f"scans are refused below {least / GIB:.1f} GiB (setting free_disk_min_bytes)"
        return problem("disk", f"{text}; {wanted}.", f"df -h {folder}")
    if free_bytes < SCARCE * least:
        return warning("disk", f"{text}; below {least / GIB:.1f} GiB scans are refused.", f"df -h {folder}")
    return ok("disk", f"{text}.")


def check_home(home: Home) -> Finding:
    """Look at whose the home is and who may read it; a home that is missing is made at the first start."""
    if not home.path.exists():
        return _missing(home)
    found = home.path.stat()
    if found.st_uid != os.getuid():
        return problem("home", f"{home.path} belongs to another user (id {found.st_uid}).", _elsewhere())
    if not os.access(home.path, os.R_OK | os.W_OK | os.X_OK):
        return problem("home", f"{home.path} cannot be read and written.", f"chmod 700 {home.path}")
    open_paths = [path for path in (home.path, home.database, home.media) if _open_to_others(path)]
    if open_paths:
        names = " ".join(map(str, open_paths))
        return warning("home", f"Other users can read patient data: {names}.", f"chmod go-rwx {names}")
    return ok("home", f"{home.path} is this user's alone.")


def _missing(home: Home) -> Finding:
    folder = _nearest(home.path)
    if os.access(folder, os.W_OK | os.X_OK):
        return ok("home", f"{home.path} is made when the server first starts.")
    return problem("home", f"{home.path} is not there, and {folder} cannot be written.", _elsewhere())


def _elsewhere() -> str:
    return "segint doctor --home DIR"


def _open_to_others(path: Path) -> bool:
    return path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & OTHERS)


def _nearest(path: Path) -> Path:
    """Return `path`, or the first folder above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
