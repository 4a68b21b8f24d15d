"""Sealing: nothing comes out but what went in, in order, to the end."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pytest

from segint_grpc import errors
from segint_grpc.backup import sealing
from segint_grpc.backup.sealing import PIECE_BYTES, Unsealed, check_passphrase, is_sealed, seal

PASSPHRASE = "correct horse battery"
HEADER_BYTES = 35
PIECE = PIECE_BYTES + 16


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_LOG2_N", 4)


def sealed(plain: bytes) -> bytes:
    return b"".join(seal([plain[:10], plain[10:]], PASSPHRASE))


def unsealed(raw: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return Unsealed(io.BytesIO(raw), passphrase).readall()


@pytest.mark.parametrize(
    "length", [0, 1, 9, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 3 * PIECE_BYTES + 5]
)
def test_what_was_sealed_comes_back(length: int) -> None:
    plain = os.urandom(length)
    raw = sealed(plain)
    assert is_sealed(raw)
    assert len(raw) == HEADER_BYTES + length + 16 * max(1, -(-length // PIECE_BYTES))
    assert unsealed(raw) == plain
    assert sealed(plain) != raw


def test_nothing_of_the_content_shows() -> None:
    assert b"a patient" not in sealed(b"a patient" * 1000)


def test_another_passphrase_opens_nothing() -> None:
    with pytest.raises(errors.BrokenArchive, match="passphrase"):
        unsealed(sealed(b"x"), "another passphrase")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in a piece": lambda raw: raw[:-1],
    "cut between pieces": lambda raw: raw[: HEADER_BYTES + 2 * PIECE],
    "the last piece alone missing": lambda raw: raw[: HEADER_BYTES + 3 * PIECE],
    "exchanged pieces": lambda raw: (
        raw[:HEADER_BYTES]
        + raw[HEADER_BYTES + PIECE : HEADER_BYTES + 2 * PIECE]
        + raw[HEADER_BYTES : HEADER_BYTES + PIECE]
        + raw[HEADER_BYTES + 2 * PIECE :]
    ),
    "a piece twice": lambda raw: raw[: HEADER_BYTES + PIECE] + raw[HEADER_BYTES:],
    "something behind": lambda raw: raw + b"x",
    "a bit in the header": lambda raw: raw[:30] + bytes([raw[30] ^ 1]) + raw[31:],
    "a bit in the middle": lambda raw: raw[: PIECE + 99] + bytes([raw[PIECE + 99] ^ 1]) + raw[PIECE + 100 :],
    "nothing": lambda raw: b"",
    "the header alone": lambda raw: raw[:HEADER_BYTES],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(damage: str) -> None:
    raw = sealed(os.urandom(3 * PIECE_BYTES + 5))
    with pytest.raises(errors.BrokenArchive):
        unsealed(DAMAGES[damage](raw))


def test_a_header_that_asks_for_too_much_is_refused() -> None:
    raw = bytearray(sealed(b"x"))
    raw[9] = 40
    with pytest.raises(errors.BrokenArchive, match="does not know"):
        unsealed(bytes(raw))


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(errors.InvalidFields, match="at least 12"):
        check_passphrase("short")
