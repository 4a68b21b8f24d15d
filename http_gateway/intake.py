"""A request's body: checked before it is read, then read piece by piece within the limit."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

from aiohttp import StreamReader, web

from http_gateway.exchange import Exchange
from http_gateway.negotiation import PROTOBUF, media_type
from http_gateway.refusals import Refusal
from segint_grpc.pace import Pace, TooSlow

PIECE_BYTES = 256 * 1024
"""Small enough that what waits between here and the disk stays small for many uploads at once."""

_GZIP_WINDOW = 31
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def check_head(request: web.BaseRequest, limit_bytes: int) -> None:
    """Check what the headers say of the body, the media type first, so that a refusal needs no upload.

    Raises:
        Refusal: 415 for a media type or coding other than protobuf and gzip, 413 above `limit_bytes`.
    """
    given = media_type(request.headers.get("Content-Type"))
    if given != PROTOBUF:
        details = f"The Content-Type must be {PROTOBUF}, not {given[:64] or 'missing'}."
        raise Refusal(415, details, {"Accept": PROTOBUF})
    if _coding(request) not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal(
            415, "The Content-Encoding must be gzip or none at all.", {"Accept-Encoding": "gzip, identity"}
        )
    if (request.content_length or 0) > limit_bytes:
        raise _too_large(limit_bytes)


async def answer_expectation(request: web.BaseRequest) -> None:
    """Tell a client that waits for it (RFC 9110 section 10.1.1) to send the body.

    Raises:
        Refusal: 417 for any other expectation.
    """
    expected = request.headers.get("Expect", "")
    if not expected or request.version < (1, 1):
        return
    if expected.strip().lower() != "100-continue":
        raise Refusal(417, "The only expectation that is met here is 100-continue.")
    await request.writer.write(_CONTINUE)
    request.writer.output_size = 0  # what counts from here is the answer


def known_size(request: web.BaseRequest) -> int | None:
    """Return how many bytes `pieces` will give, where the headers tell it."""
    return None if _is_gzip(request) else request.content_length


async def pieces(exchange: Exchange, limit_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body, decoded, in pieces of at most `PIECE_BYTES`; nothing else of it is kept.

    Raises:
        Refusal: 413 above `limit_bytes` as sent or as decoded, 400 for broken gzip, 408 for
            silence or a trickle.
    """
    decoder = Gunzip() if _is_gzip(exchange.request) else None
    decoded_bytes = 0
    async for raw in _raw_pieces(exchange, limit_bytes):
        for piece in decoder.decode(raw) if decoder else (raw,):
            decoded_bytes += len(piece)
            if decoded_bytes > limit_bytes:
                raise _too_large(limit_bytes)
            yield piece
    if decoder:
        decoder.finish()


async def read_small(exchange: Exchange, limit_bytes: int) -> bytes:
    """Return a body that is small by nature; raises as `pieces`."""
    return b"".join([piece async for piece in pieces(exchange, limit_bytes)])


async def _raw_pieces(exchange: Exchange, limit_bytes: int) -> AsyncIterator[bytes]:
    content, settings = exchange.request.content, exchange.services.settings
    content.set_read_chunk_size(PIECE_BYTES)
    pace = Pace(settings.silence_s, settings.body_rate_min_bytes)
    while piece := await _read(content, pace):
        exchange.received_bytes += len(piece)
        if exchange.received_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        yield piece


async def _read(content: StreamReader, pace: Pace) -> bytes:
    try:
        return await pace.wait(content.read(PIECE_BYTES))
    except TooSlow as error:
        raise Refusal(408, str(error)) from None


class Gunzip:
    """Decodes a gzip body (RFC 1952) of one or several members, never more than a piece at once."""

    def __init__(self) -> None:
        """Expect the first member."""
        self._member = zlib.decompressobj(_GZIP_WINDOW)
        self._empty = True

    def decode(self, raw: bytes) -> Iterator[bytes]:
        """Yield what `raw` decodes to, `PIECE_BYTES` at most at a time; raises Refusal if it is no gzip."""
        self._empty = self._empty and not raw
        while raw:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece = self._member.decompress(raw, PIECE_BYTES)
            except zlib.error:
                raise _broken_gzip() from None
            raw = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise Refusal where the body ended inside a member."""
        if not self._empty and not self._member.eof:
            raise _broken_gzip()


def _coding(request: web.BaseRequest) -> str:
    return ",".join(request.headers.getall("Content-Encoding", ())).strip().lower()


def _is_gzip(request: web.BaseRequest) -> bool:
    return _coding(request) in ("gzip", "x-gzip")


def _too_large(limit_bytes: int) -> Refusal:
    return Refusal(
        413, f"The body is larger than the {limit_bytes} bytes taken here (setting upload_max_bytes)."
    )


def _broken_gzip() -> Refusal:
    return Refusal(400, "The body is no intact gzip, though its Content-Encoding says so.")
