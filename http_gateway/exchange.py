"""One request and its answer, and the services that every handler may use."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from multidict import MultiMapping

from http_gateway.core import Core, Metadata
from http_gateway.metrics import Metrics
from http_gateway.mirror import Mirror
from http_gateway.negotiation import wants_protobuf
from http_gateway.service_url import Machine
from segint_grpc import logs
from segint_grpc.forwarding import AUTHORIZATION, FORWARDED_FOR
from segint_grpc.networks import Address, Network, client_address, parse_address
from segint_grpc.settings import Settings

_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Services:
    """What outlives a request."""

    settings: Settings
    core: Core
    mirror: Mirror
    metrics: Metrics
    machine: Machine
    openapi: bytes
    proxies: Sequence[Network] = ()
    """Whose X-Forwarded-For is believed."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    json_turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held while a result is translated into JSON: one at a time, so memory stays bounded."""


@dataclass(slots=True)
class Exchange:
    """A request while it is answered."""

    request: web.BaseRequest
    services: Services
    request_id: str
    protobuf: bool
    peer: Address | None
    """Where the request came from, proxies that are trusted left out."""
    authorization: str = ""
    """The header of that name, as it came."""
    viewer: str | None = None
    """The principal whose jobs alone exist for this request; None: everybody's do."""
    route: str = "unknown"
    """The route's path in the route table, for the log and the figures."""
    log_level: int = logging.INFO
    """Of the line in the log if all goes well."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The ids in the path, percent-decoded."""
    received_bytes: int = 0

    @property
    def job(self) -> dict[str, str]:
        """The fields by which a request to the core names the job of the path."""
        return {"model_id": self.parameters["model"], "segmentation_id": self.parameters["id"]}

    @property
    def metadata(self) -> Metadata:
        """What goes to the core with every call for this request: its id, and whom the gateway speaks for."""
        own = ((logs.REQUEST_ID_METADATA, self.request_id), (FORWARDED_FOR, str(self.peer or "")))
        return (*own, (AUTHORIZATION, self.authorization)) if self.authorization else own


Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]

AUTHORIZATION_MAX = 1024

EXCHANGE = web.RequestKey("exchange", Exchange)


def open_exchange(request: web.BaseRequest, services: Services, headers: MultiMapping[str]) -> Exchange:
    """Return the exchange of `request`, which is found in it again, and set the request id for the logs.

    `headers` are the request's, or none where it was too broken to have any.
    """
    given = headers.get("X-Request-Id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else logs.new_request_id()
    logs.request_id.set(request_id)
    accept = headers.getall("Accept", None)
    exchange = Exchange(
        request=request,
        services=services,
        request_id=request_id,
        protobuf=wants_protobuf(None if accept is None else ",".join(accept)),
        peer=client_address(
            parse_address(request.remote or ""), headers.getall("X-Forwarded-For", ()), services.proxies
        ),
        authorization=_transportable(headers.get("Authorization", "")),
    )
    request[EXCHANGE] = exchange
    return exchange


def _transportable(authorization: str) -> str:
    """Return the header as metadata can carry it; one that no token can be in stays one that is none."""
    if authorization.isascii() and authorization.isprintable() and len(authorization) <= AUTHORIZATION_MAX:
        return authorization.strip()
    return "Bearer -"
