"""The gateway's life: from settings to a listening server, and back in reverse."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from aiohttp import web

from http_gateway.connection import ConnectionServer
from http_gateway.core import Core, core_credentials, core_target
from http_gateway.doorstep import DoorSite, House
from http_gateway.exchange import Services
from http_gateway.follower import following
from http_gateway.front import Front
from http_gateway.metrics import Metrics
from http_gateway.mirror import Mirror
from http_gateway.openapi import describe
from http_gateway.ports import Port, wanted_ports
from http_gateway.routes import ROUTES
from http_gateway.routing import Router
from http_gateway.service_url import Machine, check_public_url
from segint_grpc import errors
from segint_grpc.networks import parse_networks
from segint_grpc.settings import Settings

_CLEANUP_S = 0.25
"""For answers that are being written when the time for requests is over."""


@dataclass(frozen=True)
class Gateway:
    """A gateway that listens."""

    address: str
    """HOST:PORT of plain HTTP, with the port that was really taken; empty where there is none."""
    secure_address: str = ""
    """The same for HTTP with TLS."""

    @property
    def facts(self) -> dict[str, str]:
        """What is reported of it, by the settings' names."""
        return {"http": self.address, "https": self.secure_address}


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Gateway]:
    """Listen while the context lasts; then requests in progress get `settings.stop_grace_s` seconds.

    The core may be away at any time: requests are answered with 503 meanwhile.

    Raises:
        InvalidSetting: an address, a network or the public URL is none.
        StartRefused: it must not, or cannot, listen there.
    """
    check_public_url(settings.public_url)
    ports = wanted_ports(settings)
    async with AsyncExitStack() as stack:
        core = Core(core_target(settings), core_credentials(settings))
        stack.push_async_callback(core.close)
        proxies = parse_networks(settings.trusted_proxies, "trusted_proxies")
        services = Services(settings, core, Mirror(), Metrics(), Machine(), describe(ROUTES), proxies)
        await stack.enter_async_context(following(core, services.mirror))
        front = Front(services, Router(ROUTES))
        connections = ConnectionServer(front, services)
        runner = web.ServerRunner(connections, shutdown_timeout=_CLEANUP_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(_drain, runner, front, services)
        taken = {}
        for port in ports:
            if port.tls is not None:
                services.metrics.tell_end(port.tls.ends_at_s)
            house = House(connections, connections.census, settings.header_timeout_s, port.tls)
            taken[port.setting] = await _listen(runner, port, house)
        yield Gateway(taken.get("http", ""), taken.get("https", ""))


async def _drain(runner: web.ServerRunner, front: Front, services: Services) -> None:
    """Let nobody new in, then wait for the requests in progress within the time that they have.

    aiohttp drops what still arrives of a body once its clean-up begins, so uploads end before that.
    """
    services.stopping.set()
    for site in runner.sites:
        await site.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(services.settings.stop_grace_s):
            await front.drained()


async def _listen(runner: web.ServerRunner, port: Port, house: House) -> str:
    site = DoorSite(runner, port.host, port.number, house)
    try:
        await site.start()
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or "unknown")
        raise errors.StartRefused(
            f"Cannot listen on {port.host}:{port.number} ({reason}); choose another address with "
            f"--{port.setting}."
        ) from None
    host, number = site.bound
    return f"[{host}]:{number}" if ":" in host else f"{host}:{number}"


_REASONS = {
    errno.EADDRINUSE: "another program listens there already",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "ports below 1024 need special rights",
}
