"""The routes for whoever runs the server: alive, ready, figures, and the description of all routes."""

from __future__ import annotations

import grpc
from aiohttp import web

from http_gateway import answers, figures
from http_gateway.exchange import Exchange
from http_gateway.negotiation import JSON
from http_gateway.refusals import Refusal

_OK = b'{"status": "ok"}'


async def alive(exchange: Exchange) -> web.StreamResponse:
    """Answer as long as this process does."""
    return answers.answer_bytes(exchange, _OK, JSON)


async def ready(exchange: Exchange) -> web.StreamResponse:
    """Answer 200 where a scan posted now would be worked on, else 503."""
    if not await exchange.services.core.serving(exchange.request_id):
        raise Refusal(503, "The server runs, but no worker can run a job at present.", {"Retry-After": "2"})
    return answers.answer_bytes(exchange, _OK, JSON)


async def metrics(exchange: Exchange) -> web.StreamResponse:
    """Answer the gateway's figures and, where it can be reached, the core's, for Prometheus."""
    core_figures = None
    try:
        core_figures = await exchange.services.core.figures(exchange.request_id)
    except grpc.aio.AioRpcError as error:
        figures.log.warning("the core gave no figures: %s", error.code().name)
    body = exchange.services.metrics.expose() + figures.expose(core_figures)
    return answers.answer_bytes(exchange, body, figures.CONTENT_TYPE)


async def openapi(exchange: Exchange) -> web.StreamResponse:
    """Answer the description of every route."""
    return answers.answer_bytes(exchange, exchange.services.openapi, JSON)
