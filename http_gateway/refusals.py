"""What a client is told when something goes wrong: an HTTP status and a sentence, never a traceback.

One table turns the core's gRPC status into an HTTP status.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import grpc
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from segint_grpc import logs
from segint_grpc import refusal as early

log = logging.getLogger(__name__)

INVALID_REQUEST = "Invalid request."
"""BadRequestResponse.ErrorMessage of every 4xx; clients compare it."""

SERVER_MESSAGES: dict[int, str] = {
    500: "Internal server error.",
    503: "The service is not available at present.",
    504: "The service took too long to answer.",
}
"""BadRequestResponse.ErrorMessage of a 5xx."""

HTTP_STATUSES: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 413,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""Any other status of the core is a 500."""

_RETRY_AFTER_S: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: 10,
    grpc.StatusCode.UNAVAILABLE: 2,
    grpc.StatusCode.CANCELLED: 2,
}

_TRANSPORT_SENTENCES: dict[int, str] = {
    503: "The segmentation server behind this address cannot be reached; try again in a few seconds.",
    504: "The segmentation server behind this address did not answer in time; try again later.",
}

_SERVER_FAILED = "The server failed; its log says more under the request id."


class Refusal(Exception):
    """A request is answered with this HTTP status and sentence instead of what it asked for."""

    def __init__(self, status: int, details: str, headers: Mapping[str, str] | None = None) -> None:
        """Keep the HTTP `status`, the sentence for BadRequestResponse.ExceptionDetails, and extra headers.

        Bytes of a request that are no UTF-8 (surrogates in aiohttp's strings) become question marks.
        """
        self.details = details.encode("utf-8", "replace").decode()
        super().__init__(self.details)
        self.status = status
        self.headers = dict(headers or {})

    @property
    def message(self) -> str:
        """BadRequestResponse.ErrorMessage for this status."""
        return SERVER_MESSAGES.get(self.status, INVALID_REQUEST)


def refusal_for(error: Exception) -> Refusal:
    """Return what the client is told of `error`; one that nobody expected is logged with its traceback."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return _from_core(error)
    if isinstance(error, (web.RequestPayloadError, HttpProcessingError)):
        return Refusal(400, "The request's body is broken: it does not follow HTTP/1.1 (RFC 9112).")
    log.error("a request failed", exc_info=error)
    return Refusal(500, _SERVER_FAILED)


def told_by_core(code: grpc.StatusCode, details: str, retry_s: int | None = None) -> Refusal:
    """Return the refusal for a status of the core and the sentence it gave.

    Where it says to whoever came too often when to come again (`retry_s`), that is a 429.
    """
    if retry_s is not None:
        return Refusal(429, details, {"Retry-After": str(retry_s)})
    retry_after_s = _RETRY_AFTER_S.get(code)
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}
    if code is grpc.StatusCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return Refusal(HTTP_STATUSES.get(code, 500), details, headers)


def _from_core(error: grpc.aio.AioRpcError) -> Refusal:
    """Pass on the core's own sentence; gRPC's own texts name sockets and classes, so they stay in the log."""
    code = error.code()
    if _spoken_by_core(error):
        retry_s = early.unpack_retry_s(error.initial_metadata() or ())
        return told_by_core(code, error.details() or _SERVER_FAILED, retry_s)
    log.warning("the core did not answer: %s", error.details(), extra={"status": code.name})
    return told_by_core(code, _TRANSPORT_SENTENCES.get(HTTP_STATUSES.get(code, 500), _SERVER_FAILED))


def _spoken_by_core(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether the core ended the RPC itself: it then returns the request id as trailing metadata."""
    return any(key == logs.REQUEST_ID_METADATA for key, _ in error.trailing_metadata() or ())
