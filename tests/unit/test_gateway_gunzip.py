from __future__ import annotations

import gzip
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_gateway.intake import PIECE_BYTES, Gunzip
from http_gateway.refusals import Refusal


def decode(raw: bytes, cuts: list[int] | None = None) -> bytes:
    decoder = Gunzip()
    bounds = sorted({0, len(raw), *(cut for cut in cuts or [] if cut < len(raw))})
    pieces = [piece for start, end in pairwise(bounds) for piece in decoder.decode(raw[start:end])]
    decoder.finish()
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    return b"".join(pieces)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.lists(st.integers(1, 400), max_size=8))
def test_any_cut_of_any_members_decodes_to_what_was_encoded(members: list[bytes], cuts: list[int]) -> None:
    assert decode(b"".join(map(gzip.compress, members)), cuts) == b"".join(members)


def test_a_bomb_comes_in_small_pieces() -> None:
    body = bytes(40 * PIECE_BYTES + 7)
    assert decode(gzip.compress(body)) == body


def test_what_cannot_be_compressed_passes_too() -> None:
    body = random.Random(1).randbytes(3 * PIECE_BYTES + 1)
    assert decode(gzip.compress(body), [100, PIECE_BYTES]) == body


def test_an_empty_body_is_empty() -> None:
    assert decode(b"") == b""


INTACT = gzip.compress(b"scan" * 100, mtime=0)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"no gzip at all", id="no gzip"),
        pytest.param(INTACT[:-1], id="one byte short"),
        pytest.param(INTACT[:-9], id="no trailer"),
        pytest.param(INTACT[:-1] + b"\1", id="wrong length"),
        pytest.param(INTACT + b"rubbish", id="something after it"),
        pytest.param(INTACT[:5], id="half a header"),
    ],
)
def test_broken_gzip_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decode(raw)
    assert caught.value.status == 400
