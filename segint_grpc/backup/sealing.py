"""A stream of bytes, sealed with a passphrase: what was changed, cut, exchanged or repeated is found out.

The key is made by scrypt (RFC 7914). The bytes go in pieces of `PIECE_BYTES` through AES-256-GCM, as in the
STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance, 2015): each piece's nonce holds its number and whether it is the last. docs/backup.md has
the layout.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from segint_grpc import errors

MAGIC = b"SEGINTBK"
PIECE_BYTES = 1024 * 1024
PASSPHRASE_MIN = 12

_HEADER = struct.Struct(">8sBBBB16s7s")
_VERSION = 1
_LOG2_N, _R, _P = 16, 8, 1
_LOG2_N_MAX, _R_MAX, _P_MAX = 18, 8, 4
"""What a header may ask for at most: 256 MiB of memory. It is read before anything has proved it."""
_TAG_BYTES = 16


def check_passphrase(passphrase: str) -> None:
    """Raise InvalidFields where `passphrase` is too short to keep anything."""
    if len(passphrase) < PASSPHRASE_MIN:
        raise errors.InvalidFields(
            {"passphrase": f"Scans and masks are patient data: give at least {PASSPHRASE_MIN} characters."}
        )


def seal(plain: Iterable[bytes], passphrase: str) -> Iterator[bytes]:
    """Yield the sealed form of the bytes of `plain`."""
    salt, prefix = os.urandom(16), os.urandom(7)
    header = _HEADER.pack(MAGIC, _VERSION, _LOG2_N, _R, _P, salt, prefix)
    box = AESGCM(_key(passphrase, salt, _LOG2_N, _R, _P))
    yield header
    held, number = bytearray(), 0
    for chunk in plain:
        held += chunk
        # One byte more must be there: only then it is certain that this piece is not the last.
        while len(held) > PIECE_BYTES:
            yield box.encrypt(_nonce(prefix, number, last=False), bytes(held[:PIECE_BYTES]), header)
            del held[:PIECE_BYTES]
            number += 1
    yield box.encrypt(_nonce(prefix, number, last=True), bytes(held), header)


def is_sealed(start: bytes) -> bool:
    """Return whether a file that begins with `start` is sealed."""
    return start.startswith(MAGIC)


class Unsealed(io.RawIOBase):
    """The plain bytes of a sealed file, which are checked before they are given."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        """Read from `file`, which stands at its beginning.

        Raises:
            BrokenArchive: it is not sealed as this release does it.
        """
        self._file = file
        self._header = file.read(_HEADER.size)
        if len(self._header) < _HEADER.size:
            raise errors.BrokenArchive("The archive is cut short.")
        magic, version, log2_n, r, p, salt, self._prefix = _HEADER.unpack(self._header)
        known = magic == MAGIC and version == _VERSION
        if not known or log2_n > _LOG2_N_MAX or r > _R_MAX or p > _P_MAX or not (log2_n and r and p):
            raise errors.BrokenArchive("The archive is sealed in a way that this release does not know.")
        self._box = AESGCM(_key(passphrase, salt, log2_n, r, p))
        self._number = 0
        self._ahead = file.read(PIECE_BYTES + _TAG_BYTES)
        self._plain = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any writable buffer
        """Fill `buffer` as far as this piece goes; return how far, 0 at the end.

        Raises:
            BrokenArchive: the passphrase is another, or the file was changed or cut.
        """
        while not self._plain and not self._ended:
            self._plain = memoryview(self._next())
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next(self) -> bytes:
        piece, self._ahead = self._ahead, self._file.read(PIECE_BYTES + _TAG_BYTES)
        self._ended = not self._ahead
        nonce = _nonce(self._prefix, self._number, last=self._ended)
        self._number += 1
        try:
            return self._box.decrypt(nonce, piece, self._header)
        except (InvalidTag, ValueError):
            first = self._number == 1
            raise errors.BrokenArchive(
                "The passphrase is not the one of this archive, or the archive was changed."
                if first
                else "The archive was changed or cut short: what follows is not what was sealed."
            ) from None


def _key(passphrase: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    n = 1 << log2_n
    memory = 128 * n * r + 128 * r * p + 1024 * 1024
    return hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)
