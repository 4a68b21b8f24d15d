"""The routes that tell what this server is and offers."""

from __future__ import annotations

from aiohttp import web

from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway import answers
from http_gateway.exchange import Exchange
from http_gateway.service_url import service_url


async def ping(exchange: Exchange) -> web.StreamResponse:
    """Answer the ApiInformation."""
    core = exchange.services.core
    request = pb.GetApiInformationRequest()
    response = await core.ask(core.segmentation.GetApiInformation, request, exchange.request_id)
    return answers.answer(exchange, response.api_information)


async def credit(exchange: Exchange) -> web.StreamResponse:
    """Answer the Credits, which do not apply here."""
    core = exchange.services.core
    response = await core.ask(core.segmentation.GetCredits, pb.GetCreditsRequest(), exchange.request_id)
    return answers.answer(exchange, response.credits)


async def vendor_status(exchange: Exchange) -> web.StreamResponse:
    """Answer the VendorStatus with the URL under which this client reaches the server."""
    services = exchange.services
    url = service_url(exchange.request, services.settings.public_url, services.machine)
    request = pb.GetVendorStatusRequest(service_url=url)
    method = services.core.segmentation.GetVendorStatus
    response = await services.core.ask(method, request, exchange.request_id)
    return answers.answer(exchange, response.vendor_status)


async def models(exchange: Exchange) -> web.StreamResponse:
    """Answer the ModelsCollection."""
    core = exchange.services.core
    response = await core.ask(core.segmentation.ListModels, pb.ListModelsRequest(), exchange.request_id)
    return answers.answer(exchange, response.models)
