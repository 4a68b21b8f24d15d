"""The routes that tell what this server is and offers. What never differs is asked of the core once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from google.protobuf.message import Message

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway import answers
from http_gateway.exchange import Exchange
from http_gateway.mirror import CREDITS, MODELS, PING
from http_gateway.service_url import service_url


async def ping(exchange: Exchange) -> web.StreamResponse:
    """Answer the ApiInformation."""
    return await _answer_word(exchange, PING, _ask_information)


async def credit(exchange: Exchange) -> web.StreamResponse:
    """Answer the Credits, which do not apply here."""
    return await _answer_word(exchange, CREDITS, _ask_credits)


async def models(exchange: Exchange) -> web.StreamResponse:
    """Answer the ModelsCollection, which the core pushes whenever it changes."""
    return await _answer_word(exchange, MODELS, _ask_models)


async def vendor_status(exchange: Exchange) -> web.StreamResponse:
    """Answer the VendorStatus with the URL under which this client reaches the server."""
    services = exchange.services
    url = service_url(exchange.request, services.settings.public_url, services.machine)
    request = pb.GetVendorStatusRequest(service_url=url)
    method = services.core.segmentation.GetVendorStatus
    response = await services.core.ask(method, request, exchange.metadata)
    return answers.answer(exchange, response.vendor_status)


async def _answer_word(
    exchange: Exchange, name: str, ask: Callable[[Exchange], Awaitable[Message]]
) -> web.StreamResponse:
    mirror = exchange.services.mirror
    known, asked_in = mirror.word(name), mirror.round
    if known is None:
        known = mirror.learn_word(name, await ask(exchange), asked_in)
    return answers.answer_prepared(exchange, known)


async def _ask_information(exchange: Exchange) -> Model_pb2.ApiInformation:
    core, request = exchange.services.core, pb.GetApiInformationRequest()
    response = await core.ask(core.segmentation.GetApiInformation, request, exchange.metadata)
    return response.api_information


async def _ask_credits(exchange: Exchange) -> Model_pb2.Credits:
    core, request = exchange.services.core, pb.GetCreditsRequest()
    return (await core.ask(core.segmentation.GetCredits, request, exchange.metadata)).credits


async def _ask_models(exchange: Exchange) -> Model_pb2.ModelsCollection:
    core, request = exchange.services.core, pb.ListModelsRequest()
    return (await core.ask(core.segmentation.ListModels, request, exchange.metadata)).models
