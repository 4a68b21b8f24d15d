"""Who may use a route, before anything of the request's body is read.

The gateway turns away whom the settings shut out; whom a token names and what it may do, the core decides.
"""

from __future__ import annotations

import grpc

from generated.segint.v1 import access_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway.exchange import Exchange
from http_gateway.identities import Identity
from http_gateway.refusals import Refusal, told_by_core
from http_gateway.routing import Needs, Route
from segint_grpc import errors
from segint_grpc.forwarding import bearer_of
from segint_grpc.networks import Address, Doorstep, admitted, parse_address, parse_networks
from segint_grpc.settings import TOKEN, Settings


class Entrance:
    """Admits requests to routes."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings; raises InvalidSetting where a list of networks is none."""
        self._doorstep = Doorstep(settings)
        self._metrics = parse_networks(settings.metrics_allow, "metrics_allow")
        self._by_token = settings.mode == TOKEN
        self._health_by_token = settings.health == TOKEN

    def check_address(self, exchange: Exchange) -> None:
        """Raise Refusal 403 where nobody may come from that address, but to read the figures."""
        if exchange.peer is not None and admitted(exchange.peer, self._metrics):
            return
        self._check_doorstep(exchange)

    async def admit(self, exchange: Exchange, route: Route) -> None:
        """Let a request in to `route`, and note whose jobs it may see.

        Raises:
            Refusal: 401, 403 or 429, in the core's words where a credential was shown.
        """
        if route.needs is not Needs.CLIENT:
            check_line(exchange.request.secure, parse_address(exchange.request.remote or ""))
        if route.needs is Needs.METRICS:
            self._check_metrics(exchange)
            return
        self._check_doorstep(exchange)
        shown = bearer_of(exchange.authorization) is not None
        if route.needs is Needs.HEALTH:
            asked = self._health_by_token
            if asked and not shown:
                raise told_by_core(grpc.StatusCode.UNAUTHENTICATED, errors.Unauthenticated().message)
        else:
            asked = self._by_token or shown
        if asked:
            identity = await _identify(exchange)
            if self._by_token and not identity.sees_all:
                exchange.viewer = identity.principal

    def _check_doorstep(self, exchange: Exchange) -> None:
        try:
            self._doorstep.check(exchange.peer)
        except errors.Forbidden as error:
            raise Refusal(403, error.message) from None

    def _check_metrics(self, exchange: Exchange) -> None:
        if not admitted(exchange.peer, self._metrics):
            raise Refusal(
                403, "The figures are for this machine and the networks in the setting metrics_allow alone."
            )


def check_line(secure: bool, next_door: Address | None) -> None:
    """Let in what travels with TLS, or comes from `next_door` on this machine.

    A proxy here has had TLS on its other side, or has not; that is for the proxy to see to.

    Raises:
        Refusal: 403 for everything else, since plain HTTP is for Velocity's routes alone.
    """
    if not secure and not (next_door is not None and next_door.is_loopback):
        raise Refusal(403, "Beyond the server's own machine, this answers with TLS alone (setting https).")


async def _identify(exchange: Exchange) -> Identity:
    """Return whom the core takes the caller for; raises grpc.aio.AioRpcError where it admits nobody."""
    core, identities = exchange.services.core, exchange.services.mirror.identities
    known, asked_in = identities.find(exchange.authorization), identities.era
    if known is None:
        answer = await core.ask(core.segmentation.Identify, pb.IdentifyRequest(), exchange.metadata)
        expires_at_s = answer.expires_at.ToNanoseconds() / 1e9 if answer.HasField("expires_at") else None
        sees_all = answer.scope in (access_pb2.SCOPE_OPERATOR, access_pb2.SCOPE_ADMIN)
        known = Identity(answer.principal, sees_all, expires_at_s)
        identities.learn(exchange.authorization, known, asked_in)
    return known
