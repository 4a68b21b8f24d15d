"""Passwords as they are kept: scrypt (RFC 7914) with a salt of its own for each, and its parameters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

N, R, P = 2**15, 8, 1
"""Some 150 ms and 32 MiB for each guess."""
SALT_BYTES, HASH_BYTES = 16, 32
_MEMORY_BYTES = 256 * R * N


def hashed(password: str) -> str:
    """Return what is kept of `password`. Takes its time: never call it on the event loop."""
    salt = secrets.token_bytes(SALT_BYTES)
    return f"scrypt${N}${R}${P}${_text(salt)}${_text(_scrypt(password, salt, N, R, P))}"


def verified(password: str, kept: str) -> bool:
    """Tell whether `kept` is of `password`. Takes as long as `hashed`."""
    _, n, r, p, salt, expected = kept.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(expected))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES, dklen=HASH_BYTES)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
