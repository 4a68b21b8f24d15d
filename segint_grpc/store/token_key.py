"""The server's key for the hashes of tokens: 32 random bytes in the home, never in the database.

Whoever reads the database alone, a copy of it for instance, can check no guess with what it holds.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from segint_grpc import errors
from segint_grpc.domain.tokens import KEY_BYTES
from segint_grpc.store.durable import PART, publish


def load_or_make_key(path: Path) -> bytes:
    """Return the key in the file `path`, which is made, private to the user, where there is none.

    Raises:
        StartRefused: the file holds no key.
    """
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise errors.StartRefused(
            f"The file {path} holds no key: it must have {KEY_BYTES} bytes. Bring it back from a backup, or "
            "remove it; then every token has to be made anew."
        )
    return key


def _make(path: Path) -> None:
    temporary = path.with_name(f".{path.name}{PART}")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    publish(temporary, path)
