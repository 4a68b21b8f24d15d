"""Fetches a backup from a server into a file that is whole or not there."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from generated.segint.v1 import operations_pb2
from generated.segint.v1.operations_pb2_grpc import OperationsStub
from segint_grpc import errors
from segint_grpc.client.connection import Connection, Place

Progress = Callable[[int, int], None]
"""Told of how many bytes have come, of about how many."""


class BackupDownload(Connection):
    """A connection to the server at one place for backups; raises as `Connection` says."""

    def __init__(self, place: Place) -> None:
        """Prepare to talk to the server at `place`."""
        super().__init__(place)
        self._operations = OperationsStub(self._channel)

    def save(self, path: Path, with_jobs: bool, passphrase: str, progress: Progress) -> int:
        """Write a backup to `path`, private to the user, once it has come whole; return its length in bytes.

        Raises:
            Unwritable: there is such a file already, or it cannot be written.
        """
        if path.exists():
            raise errors.Unwritable(f"{path} is there already; choose another name.")
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        request = operations_pb2.BackupRequest(with_jobs=with_jobs, passphrase=passphrase)
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                size_bytes = self._receive(request, file, progress)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise errors.Unwritable(f"{path} cannot be written ({error.strerror}).") from None
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return size_bytes

    def _receive(self, request: operations_pb2.BackupRequest, file: BinaryIO, progress: Progress) -> int:
        digest, received, about = hashlib.sha256(), 0, 0
        trailer = operations_pb2.BackupTrailer()
        with self._told():
            for part in self._operations.Backup(request):
                if part.HasField("header"):
                    about = part.header.about_bytes
                    _check_room(file, about)
                elif part.HasField("trailer"):
                    trailer = part.trailer
                file.write(part.chunk)
                digest.update(part.chunk)
                received += len(part.chunk)
                progress(received, max(about, received))
        if (received, digest.hexdigest()) != (trailer.size_bytes, trailer.sha256):
            raise errors.ServerUnreachable("The backup did not arrive whole; make it again.")
        return received


def _check_room(file: BinaryIO, about_bytes: int) -> None:
    disk = os.fstatvfs(file.fileno())
    free = disk.f_bavail * disk.f_frsize
    if free < about_bytes:
        raise errors.DiskFull(
            f"The backup has about {about_bytes // 2**20} MiB, and {free // 2**20} MiB are free where it is "
            "to lie."
        )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
