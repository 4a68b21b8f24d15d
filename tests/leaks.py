"""Looks for secrets where none may be: in every file of a folder, and in answers.

A secret is looked for as it is and as base64 at every alignment, since both get into logs by accident.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 6
CHUNK_BYTES = 4 * 1024 * 1024


def forms(secret: bytes) -> set[bytes]:
    """Return what to look for: the secret, and the middle of its base64 forms."""
    assert len(secret) >= SHORTEST, "so short a secret is found anywhere"
    found = {secret, secret.hex().encode()}
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + secret)
        # The first and last letters depend on the neighbours.
        found.add(text[4:-4] if len(text) >= 16 else secret)
    return found


def leaks(places: Iterable[Path], secrets: Iterable[bytes]) -> list[str]:
    """Return `FILE: SECRET` for every file under `places` that holds one of `secrets`."""
    wanted = {secret: forms(secret) for secret in secrets}
    return [
        f"{path}: {secret!r}"
        for path in _files(places)
        for secret, looks in wanted.items()
        if _holds(path, looks)
    ]


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (path for path in (place.rglob("*") if place.is_dir() else [place]) if path.is_file())


def _holds(path: Path, looks: set[bytes]) -> bool:
    longest = max(map(len, looks))
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            window = tail + chunk
            if any(look in window for look in looks):
                return True
            tail = window[-longest:]
    return False
