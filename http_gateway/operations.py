"""The routes for whoever runs the server: alive, ready, figures, and the description of all routes."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from aiohttp import web

from http_gateway import answers, figures
from http_gateway.exchange import Exchange
from http_gateway.negotiation import JSON
from http_gateway.refusals import Refusal
from segint_grpc.networks import Address, admitted, parse_address, parse_networks

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
    # A proxy on this machine has had TLS on its other side, or has not; that is for the proxy to see to.
    next_door = parse_address(exchange.request.remote or "")
    private = exchange.request.secure or (next_door is not None and next_door.is_loopback)
    check_operator(exchange.peer, private, exchange.services.settings.metrics_allow)
    core_figures = None
    try:
        core_figures = await exchange.services.core.figures(exchange.request_id)
    except grpc.aio.AioRpcError as error:
        figures.log.warning("the core gave no figures: %s", error.code().name)
    body = exchange.services.metrics.expose() + figures.expose(core_figures)
    return answers.answer_bytes(exchange, body, figures.CONTENT_TYPE)


def check_operator(peer: Address | None, private: bool, allow: Sequence[str]) -> None:
    """Let programs on this machine in, and those in the networks `allow` where nobody listens (`private`).

    Raises:
        Refusal: 403 for everybody else.
    """
    if peer is not None and peer.is_loopback:
        return
    if not private:
        raise Refusal(403, "Beyond the server's own machine, this answers with TLS alone (setting https).")
    networks = parse_networks(allow, "metrics_allow")
    if not networks or not admitted(peer, networks):
        raise Refusal(403, f"The address {peer} is in no network of the setting metrics_allow.")


async def openapi(exchange: Exchange) -> web.StreamResponse:
    """Answer the description of every route."""
    return answers.answer_bytes(exchange, exchange.services.openapi, JSON)
