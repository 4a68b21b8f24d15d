"""A model file comes in: written to a temporary name, measured, and named by its content when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import BinaryIO

from segint_grpc import errors
from segint_grpc.domain.models import FileRecord
from segint_grpc.service.family_rules import is_clean
from segint_grpc.store.durable import disk_errors
from segint_grpc.store.media import Media, MediaKind

NAME_BYTES_MAX = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_offer(offer: FileRecord) -> None:
    """Check what is said of a file before its bytes come.

    Raises:
        InvalidModel: the name has folders or cannot be a file's, or the SHA-256 is none.
    """
    name = offer.name
    if not name or name.startswith(".") or re.search(r"[/\\]", name) or not is_clean(name):
        raise errors.InvalidModel(f"{name[:64]!r} cannot be a model file's name; give it without folders.")
    if len(name.encode()) > NAME_BYTES_MAX:
        raise errors.InvalidModel(f"The model file's name is longer than {NAME_BYTES_MAX} bytes.")
    if not _SHA256.fullmatch(offer.sha256):
        raise errors.InvalidModel("The model file's SHA-256 must be 64 hexadecimal digits.")
    if offer.size_bytes <= 0:
        raise errors.InvalidModel(f"The model file {name!r} is empty.")


class FileIntake:
    """One file on its way in. Its end is `keep` or `discard`; without `keep` nothing stays."""

    def __init__(self, offer: FileRecord, media: Media) -> None:
        """Open a temporary file for the file that `offer` promises.

        Raises:
            InvalidModel: see `check_offer`.
            DiskFull: the disk has no room for it.
        """
        check_offer(offer)
        self._final = media.model_file_path(offer)
        free_bytes = media.free_bytes()
        if offer.size_bytes > free_bytes:
            raise errors.DiskFull(
                f"The model file has {offer.size_bytes} bytes, the disk {free_bytes} left; make room first."
            )
        self._offer = offer
        self._media = media
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        self._temporary = media.temporary(MediaKind.MODEL)
        self._file: BinaryIO = self._temporary.open("xb")

    def take(self, chunk: bytes) -> None:
        """Write the next piece.

        Raises:
            InvalidModel: there are more bytes than were promised.
            DiskFull: the disk is full.
        """
        self._size_bytes += len(chunk)
        if self._size_bytes > self._offer.size_bytes:
            raise errors.InvalidModel(
                f"The model file goes on after the {self._offer.size_bytes} bytes that were promised."
            )
        self._digest.update(chunk)
        with disk_errors():
            self._file.write(chunk)

    def keep(self) -> FileRecord:
        """Make the file durable under its own name, and return what it is.

        Raises:
            InvalidModel: the bytes are fewer than, or not, the ones that were promised.
            DiskFull: the disk is full.
        """
        offer = self._offer
        if self._size_bytes != offer.size_bytes:
            raise errors.InvalidModel(
                f"The model file ended after {self._size_bytes} of {offer.size_bytes} bytes; send it again."
            )
        if self._digest.hexdigest() != offer.sha256:
            raise errors.InvalidModel(
                f"The model file's SHA-256 is {self._digest.hexdigest()}, not {offer.sha256}; send it again."
            )
        with disk_errors():
            self._file.close()
        self._media.publish(self._temporary, self._final)
        return offer

    def discard(self) -> None:
        """Remove what has been written, unless it was kept."""
        with contextlib.suppress(OSError):
            # On a full disk closing fails once more, for the bytes that are given up anyway.
            self._file.close()
        self._temporary.unlink(missing_ok=True)
