"""How an answer is written: a message in the format that was asked for, a text, or an error."""

from __future__ import annotations

from aiohttp import web
from google.protobuf.message import Message

from generated.radiomics import Model_pb2
from http_gateway.exchange import Exchange
from http_gateway.negotiation import JSON, PROTOBUF
from http_gateway.prepared import Prepared, to_json
from http_gateway.refusals import Refusal

TEXT = "text/plain; charset=utf-8"
REQUEST_ID_HEADER = "X-Request-Id"


def headers(exchange: Exchange, content_type: str) -> dict[str, str]:
    """Return the headers of every answer; what a job's state is now must not come from a cache."""
    return {
        "Content-Type": content_type,
        REQUEST_ID_HEADER: exchange.request_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Server": "segint",
    }


def answer(exchange: Exchange, message: Message, status: int = 200) -> web.Response:
    """Return `message` as the client asked for it; one with zero values only has an empty protobuf body."""
    if exchange.protobuf:
        return _respond(exchange, message.SerializeToString(), PROTOBUF, status)
    return _respond(exchange, to_json(message), JSON, status)


def answer_prepared(exchange: Exchange, prepared: Prepared) -> web.Response:
    """Return a message as `answer` does, without writing it anew."""
    if exchange.protobuf:
        return _respond(exchange, prepared.protobuf, PROTOBUF, 200)
    return _respond(exchange, prepared.json, JSON, 200)


def answer_bytes(exchange: Exchange, body: bytes, content_type: str) -> web.Response:
    """Return `body` as it is, for every Accept."""
    return _respond(exchange, body, content_type, 200)


def answer_refusal(exchange: Exchange, refusal: Refusal) -> web.Response:
    """Return the BadRequestResponse of `refusal`; the connection ends after it if a body is left unread."""
    message = Model_pb2.BadRequestResponse(
        ErrorMessage=refusal.message,
        ExceptionDetails=f"{refusal.details} (request id {exchange.request_id})",
    )
    response = answer(exchange, message, refusal.status)
    response.headers.update(refusal.headers)
    if not exchange.request.content.is_eof():
        response.force_close()
    return response


def _respond(exchange: Exchange, body: bytes, content_type: str, status: int) -> web.Response:
    return web.Response(body=body, status=status, headers=headers(exchange, content_type))
