"""HTTP connections of aiohttp whose own errors (malformed requests) are BadRequestResponses too."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from multidict import CIMultiDict

from http_gateway import answers
from http_gateway.census import Census
from http_gateway.exchange import EXCHANGE, Services, open_exchange
from http_gateway.front import Front
from http_gateway.refusals import Refusal, refusal_for
from segint_grpc import logs
from segint_grpc.settings import Settings

log = logging.getLogger(__name__)
access = logging.getLogger("http_gateway.access")

LINGER_S = 10.0
"""How long the rest of a refused body is read and dropped, so that the client gets to read the answer."""
_LOGGED_PATH = 200
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\nServer: segint\r\n\r\n"
)


class Connection(web.RequestHandler):
    """One client's connection.

    A request line with its headers must be whole `header_timeout_s` after the connection is made, or after
    its first byte on a connection that was kept.
    """

    __slots__ = ("_census", "_head_timer", "_services", "address")

    def __init__(self, services: Services, census: Census, manager: web.Server, **options: Any) -> None:
        """Belong to `manager`; be counted out of `census` in the end."""
        super().__init__(manager, **options)
        self.address = ""
        self._census = census
        self._services = services
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        give_up_on_silent_death(transport, self._services.settings.silence_s)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Be counted out."""
        self._stop_expecting()
        self._census.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, and watch over a request line or headers that are not whole yet."""
        super().data_received(data)
        if self._messages or self._request_in_progress:
            self._stop_expecting()
        elif self._head_timer is None and self._waiter is not None and not self._waiter.done():
            self._expect_head()

    def idle_since(self) -> float | None:
        """Return since when it has no request, in seconds of the loop's clock; None while it has one."""
        if self._messages or self._request_in_progress:
            return None
        return self._next_keepalive_close_time - self._keepalive_timeout

    def leave(self) -> None:
        """End at once."""
        if self.transport is not None:
            self.transport.abort()

    def _expect_head(self) -> None:
        patience_s = self._services.settings.header_timeout_s
        self._head_timer = self._loop.call_later(patience_s, self._give_up)

    def _stop_expecting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.transport is not None:
            log.info("no whole request came in time", extra={"peer": self.address})
            self._services.metrics.timed_out.labels("headers").inc()
            self.transport.write(_TOO_SLOW)
            self.force_close()

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
        response = answers.answer_refusal(exchange, _explain(exc, self._services.settings))
        response.force_close()
        return response

    def log_exception(self, *arguments: Any, **options: Any) -> None:
        """Log what aiohttp did not expect; a body that breaks off or breaks HTTP is the client's doing."""
        error = options.get("exc_info")
        if isinstance(error, (web.RequestPayloadError, web.PayloadAccessError, HttpProcessingError)):
            log.info("the rest of a request's body is broken")
            return
        super().log_exception(*arguments, **options)


def give_up_on_silent_death(transport: asyncio.BaseTransport, silence_s: float) -> None:
    """Have the kernel end the connection when nothing sent is taken for `silence_s`.

    That is TCP_USER_TIMEOUT (tcp(7)). aiohttp waits for ever for a client that asks and then does not read.
    """
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):  # it is gone already
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(silence_s * 1000))


def _explain(error: BaseException | None, settings: Settings) -> Refusal:
    if isinstance(error, LineTooLong):
        limit_bytes = settings.header_max_bytes
        return Refusal(400, f"The request line or a header is longer than {limit_bytes} bytes.")
    if isinstance(error, HttpProcessingError):
        most = settings.headers_max
        return Refusal(
            400,
            f"The request does not follow HTTP/1.1 (RFC 9112), or has more than {most} headers.",
        )
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
        settings = services.settings
        self.census = Census(settings.connections_max, settings.connections_per_address_max, services.metrics)
        self._options = {
            "loop": asyncio.get_running_loop(),
            "access_log": access,
            "access_log_class": functools.partial(AccessLog, services),
            "auto_decompress": False,
            "keepalive_timeout": settings.keep_alive_s,
            "lingering_time": LINGER_S,
            "max_line_size": settings.header_max_bytes,
            "max_field_size": settings.header_max_bytes,
            "max_headers": settings.headers_max,
        }
        self._services = services

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self._services, self.census, self, **self._options)
