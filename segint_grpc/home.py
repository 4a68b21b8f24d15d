"""The home: where on disk everything lies. Folders are 0700, files 0600 (see `private_umask`)."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import urllib.parse
from pathlib import Path

from segint_grpc import errors

SOCKET_PATH_MAX = 107


class Home:
    """The paths of one server's home."""

    def __init__(self, path: Path) -> None:
        """Name the paths under `path`; nothing is touched."""
        self.path = path
        self.database = path / "segint.sqlite3"
        self.media = path / "media"
        self.families = self.media / "modelfamily"
        self.models = self.media / "models"
        self.inbox = path / "inbox"
        self.bodies = self.media / "segmentation"
        self.results = self.media / "results"
        self.voxels = path / "cache" / "voxels"
        self.unpacked = path / "cache" / "models"
        self.run = path / "run"
        self.logs = path / "logs"
        self.backups = path / "backups"
        self.token_key = path / "token.key"

    def create(self) -> None:
        """Make every folder that is missing, private to the user.

        Raises:
            StartRefused: the home cannot be made or written, or belongs to somebody else.
        """
        media = (self.media, self.families, self.models, self.bodies, self.results)
        caches = (self.voxels.parent, self.voxels, self.unpacked)
        others = (self.inbox, *caches, self.run, self.logs, self.backups)
        try:
            for folder in (self.path, *media, *others):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.path.stat().st_uid != os.getuid():
                raise errors.StartRefused(
                    f"The home {self.path} belongs to another user; choose one with --home."
                )
            self.path.chmod(0o700)
        except OSError as error:
            raise errors.StartRefused(
                f"The home {self.path} cannot be used ({error.strerror}); choose another with --home."
            ) from None

    @property
    def admin_socket(self) -> Path:
        """Where whoever can open it, the home's owner, is administrator."""
        return self._socket("admin.sock")

    @property
    def gateway_socket(self) -> Path:
        """Where the gateway comes in, and is believed whom it forwards."""
        return self._socket("gateway.sock")

    def _socket(self, name: str) -> Path:
        """Return the socket's path: in the home, or in a short private folder where that path is too long."""
        path = self.run / name
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        digest = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        folder = _short_folder(f"segint-{os.getuid()}-{digest}", len(f"/{name}"))
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != 0o700 or folder.is_symlink():
            raise errors.StartRefused(f"The folder {folder} is not this user's alone; remove it.")
        return folder / name


def _short_folder(name: str, further_bytes: int) -> Path:
    """Return `name` under the first temporary folder that leaves `further_bytes` for a socket's path."""
    bases = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp")
    folders = [Path(base) / name for base in bases if base]
    return next((f for f in folders if len(os.fsencode(f)) + further_bytes <= SOCKET_PATH_MAX), folders[-1])


def unix_target(path: Path) -> str:
    """Return the gRPC target of the unix socket `path` (absolute), percent-encoded as gRPC's URIs are."""
    return f"unix:{urllib.parse.quote(str(path))}"


def private_umask() -> None:
    """Make every file that this process creates from now on readable by its user alone."""
    os.umask(0o077)
