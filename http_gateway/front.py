"""What requests pass first: address, path, method, credential, media type, length; and every error."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from http_gateway import answers, intake
from http_gateway.entrance import Entrance
from http_gateway.exchange import Exchange, Services, open_exchange
from http_gateway.refusals import Refusal, refusal_for
from http_gateway.routing import Route, Router

log = logging.getLogger(__name__)


class Front:
    """Takes requests to their handlers and turns whatever goes wrong into an answer."""

    def __init__(self, services: Services, router: Router) -> None:
        """Serve the routes of `router`; raises InvalidSetting where a list of networks is none."""
        self._services = services
        self._router = router
        self._entrance = Entrance(services.settings)
        self._in_progress = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the answer to `request`.

        Raises:
            ConnectionError: the client is gone, or the answer had begun and its end is missing; the
                connection must break.
        """
        exchange = open_exchange(request, self._services, request.headers)
        self._count(1)
        try:
            self._entrance.check_address(exchange)
            route = self._find(exchange)
            await self._entrance.admit(exchange, route)
            await self._check_body(exchange, route)
            return await route.handler(exchange)
        except (asyncio.CancelledError, ConnectionError) as error:
            log.info("the client went away", extra={"route": exchange.route, "reason": str(error)})
            raise
        except Exception as error:
            return _refuse(exchange, error)
        finally:
            self._count(-1)

    async def drained(self) -> None:
        """Return when no request is in progress."""
        await self._idle.wait()

    def _count(self, change: int) -> None:
        self._in_progress += change
        self._services.metrics.in_progress.set(self._in_progress)
        (self._idle.clear if self._in_progress else self._idle.set)()

    def _find(self, exchange: Exchange) -> Route:
        """Return the route of a request; raises Refusal 404 for the path, 403 for the method."""
        request = exchange.request
        match = self._router.find(request.rel_url.raw_path)
        if match is None:
            raise Refusal(404, "There is nothing under this path; GET /openapi.json lists every route.")
        exchange.route, exchange.parameters = match.path, match.parameters
        route = match.routes.get(request.method)
        if route is None:
            allowed = ", ".join(match.routes)
            details = f"The method allowed here is {allowed}, not {request.method[:32]}."
            raise Refusal(403, details, {"Allow": allowed})
        exchange.log_level = route.log_level
        return route

    async def _check_body(self, exchange: Exchange, route: Route) -> None:
        if route.body is not None:
            limit_bytes = route.body_max_bytes or self._services.settings.upload_max_bytes
            intake.check_head(exchange.request, limit_bytes)
            await intake.answer_expectation(exchange.request)


def _refuse(exchange: Exchange, error: Exception) -> web.Response:
    refusal = refusal_for(error)
    if exchange.request.writer.output_size:
        log.warning("an answer broke off: %s", refusal.details, extra={"route": exchange.route})
        raise ConnectionAbortedError(refusal.details) from error
    return answers.answer_refusal(exchange, refusal)
