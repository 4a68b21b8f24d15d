"""HTTP connections of aiohttp whose own errors (malformed requests) are BadRequestResponses too."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from multidict import CIMultiDict

from http_gateway import answers
from http_gateway.exchange import EXCHANGE, Services, open_exchange
from http_gateway.front import Front
from http_gateway.refusals import Refusal, refusal_for
from segint_grpc import logs

log = logging.getLogger(__name__)
access = logging.getLogger("http_gateway.access")

KEEP_ALIVE_S = 75.0
LINGER_S = 10.0
"""How long the rest of a refused body is read and dropped, so that the client gets to read the answer."""
_LOGGED_PATH = 200


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_services",)

    def __init__(self, services: Services, manager: web.Server, **options: Any) -> None:
        """Belong to `manager`."""
        super().__init__(manager, **options)
        self._services = services

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that never reached the front, because it is no proper HTTP.

        Raises:
            ConnectionAbortedError: there is nobody to answer, or an answer had begun.
        """
        if request.writer.output_size or isinstance(exc, ConnectionError):
            raise ConnectionAbortedError("the connection breaks here") from exc
        exchange = open_exchange(request, self._services, CIMultiDict())
        exchange.route = "malformed"
        response = answers.answer_refusal(exchange, _explain(exc))
        response.force_close()
        return response

    def log_exception(self, *arguments: Any, **options: Any) -> None:
        """Log what aiohttp did not expect; a body that breaks off or breaks HTTP is the client's doing."""
        error = options.get("exc_info")
        if isinstance(error, (web.RequestPayloadError, web.PayloadAccessError, HttpProcessingError)):
            log.info("the rest of a request's body is broken")
            return
        super().log_exception(*arguments, **options)


def _explain(error: BaseException | None) -> Refusal:
    if isinstance(error, LineTooLong):
        return Refusal(400, "The request line or a header is longer than 8190 bytes.")
    if isinstance(error, HttpProcessingError):
        return Refusal(400, "The request does not follow HTTP/1.1 (RFC 9112).")
    return refusal_for(error if isinstance(error, Exception) else RuntimeError())


class AccessLog(AbstractAccessLogger):
    """One count and one line for each answer; nothing of a body, a query or a header is logged."""

    def __init__(self, services: Services, logger: logging.Logger, log_format: str) -> None:
        """Count in `services.metrics`."""
        super().__init__(logger, log_format)
        self._services = services

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Note that `request` was answered with `response` after `time` seconds."""
        exchange = request[EXCHANGE]
        sent_bytes = response.body_length
        self._services.metrics.count(
            exchange.route, request.method, response.status, time, exchange.received_bytes, sent_bytes
        )
        level = exchange.log_level if response.status < 400 else logging.INFO
        if not self.logger.isEnabledFor(level):
            return
        if "id" in exchange.parameters and not logs.job_id.get():
            logs.job_id.set(exchange.parameters["id"][:64])
        facts = {
            "method": request.method,
            "path": _printable(request.rel_url.raw_path),
            "status": response.status,
            "peer": str(exchange.peer),
            "milliseconds": round(time * 1000, 1),
            "received_bytes": exchange.received_bytes,
            "sent_bytes": sent_bytes,
        }
        self.logger.log(level, "%s %s", request.method, exchange.route, extra=facts)


def _printable(path: str) -> str:
    return path[:_LOGGED_PATH].encode("ascii", "backslashreplace").decode()


class ConnectionServer(web.Server):
    """Makes the connections."""

    def __init__(self, front: Front, services: Services) -> None:
        """Answer with `front`."""
        super().__init__(front.handle, handler_cancellation=True)
        self._options = {
            "loop": asyncio.get_running_loop(),
            "access_log": access,
            "access_log_class": functools.partial(AccessLog, services),
            "auto_decompress": False,
            "keepalive_timeout": KEEP_ALIVE_S,
            "lingering_time": LINGER_S,
        }
        self._services = services

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self._services, self, **self._options)
