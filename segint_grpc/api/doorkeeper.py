"""Who calls, and whether they may: asked once for each RPC, before its request is read.

What a caller is depends on the door. Whoever opens the admin socket owns the home and is administrator.
The gateway's socket believes what it is told of whom the gateway speaks for; so does TCP of a gateway that
has proved itself. Everybody else is the address that the connection comes from and the token that came
with the call, and without one what the client mode makes of a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import grpc

from segint_grpc import errors
from segint_grpc.api.peers import address_of
from segint_grpc.api.rules import RULES, Rule
from segint_grpc.domain.access import ANONYMOUS, Caller, Door, Scope
from segint_grpc.forwarding import AUTHORIZATION, FORWARDED_FOR, bearer_of
from segint_grpc.networks import Address, Doorstep, parse_address
from segint_grpc.service.credentials import Credentials
from segint_grpc.service.throttle import Throttle
from segint_grpc.settings import TOKEN, Settings

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

GATEWAY = "gateway"
"""The principal of a gateway that calls for itself."""


def nobody_trusted(context: Context) -> bool:
    """Take no peer over TCP for a gateway."""
    return False


@dataclass(frozen=True)
class Doorkeeper:
    """Decides at one door."""

    door: Door
    settings: Settings
    credentials: Credentials
    throttle: Throttle
    encrypted: bool = False
    """Whether what passes this door is encrypted (TLS)."""
    trusted_gateway: Callable[[Context], bool] = nobody_trusted
    """Tells of a peer over TCP whether it has proved to be the gateway, by its client certificate."""
    rules: Mapping[str, Rule] = field(default_factory=lambda: RULES)

    def admit(self, method: str, context: Context) -> Caller:
        """Return who calls `method` (full name).

        Raises:
            Unauthenticated: it needs a credential, and a valid one did not come.
            Forbidden: the caller may not do that, or not from there.
            TooOften: bad credentials came from the address again and again.
        """
        rule = self.rules.get(method)
        if rule is None:
            raise errors.Forbidden(f"{method} has no rule that says who may call it, so nobody may.")
        if self.door is Door.ADMIN_SOCKET:
            return Caller(self.door, "owner", Scope.ADMIN)
        metadata = _metadata(context)
        if self._is_gateway(context):
            return self._forwarded(rule, method, metadata)
        address = address_of(context.peer())
        return self._direct(rule, method, address, metadata)

    def recheck(self, caller: Caller) -> None:
        """Raise Unauthenticated where the token that `caller` came with counts no more."""
        kind, _, token_id = caller.principal.partition(":")
        if kind == "token" and not self.credentials.counts(token_id):
            raise errors.BadToken

    def stranger(self, context: Context) -> Caller:
        """Return who was turned away, as far as that is known: the door, from where, and whose token it was.

        A token that has expired or was revoked is still known by its name.
        """
        metadata = _metadata(context)
        address = metadata.get(FORWARDED_FOR, "")
        if not self._is_gateway(context):
            with suppress(errors.Forbidden):
                address = str(address_of(context.peer()) or "")
        token = self.credentials.named(bearer_of(metadata.get(AUTHORIZATION, "")) or "")
        return Caller(self.door, token.principal if token else ANONYMOUS, Scope.NOBODY, address)

    @cached_property
    def _doorstep(self) -> Doorstep:
        return Doorstep(self.settings)

    def _is_gateway(self, context: Context) -> bool:
        return self.door is Door.GATEWAY_SOCKET or self.trusted_gateway(context)

    def _forwarded(self, rule: Rule, method: str, metadata: Mapping[str, str]) -> Caller:
        told = metadata.get(FORWARDED_FOR)
        if told is not None and rule.scope > Scope.CLIENT:
            raise errors.Forbidden(f"A gateway speaks for clients alone, and {method} is none of theirs.")
        if told is not None:
            return self._direct(rule, method, parse_address(told), metadata)
        if not rule.gateway:
            raise errors.Forbidden(
                f"A gateway calls {method} for a client only, and names its address ({FORWARDED_FOR})."
            )
        return Caller(self.door, GATEWAY)

    def _direct(
        self, rule: Rule, method: str, address: Address | None, metadata: Mapping[str, str]
    ) -> Caller:
        """Return the caller at `address`; raises as `admit`."""
        self._doorstep.check(address)
        if rule.scope > Scope.CLIENT and not self.encrypted and not (address and address.is_loopback):
            raise errors.Forbidden(
                f"{method} answers over an encrypted connection only: a token must not travel in the clear. "
                "Set TLS up on the server, or call from the server's own machine."
            )
        if rule.scope is Scope.NOBODY and self.settings.health != TOKEN:
            return Caller(self.door, ANONYMOUS, rule.scope, str(address or ""))
        caller = self._identify(str(address or ""), metadata)
        # Where health needs a token, no client mode stands for one.
        if caller.principal == ANONYMOUS and (caller.scope < rule.scope or rule.scope is Scope.NOBODY):
            raise errors.Unauthenticated
        if caller.scope < rule.scope:
            raise errors.Forbidden(
                f"{method} needs a token of the scope {rule.scope.name.lower()}; this one's is "
                f"{caller.scope.name.lower()}."
            )
        return caller

    def _identify(self, address: str, metadata: Mapping[str, str]) -> Caller:
        """Return whom the credential names; a stranger where none came.

        A good token is looked up first, so it is never slowed down by what its neighbours do.
        """
        given = metadata.get(AUTHORIZATION)
        secret = bearer_of(given) if given is not None else None
        if secret is None:
            stranger = Scope.NOBODY if self.settings.mode == TOKEN else Scope.CLIENT
            return Caller(self.door, ANONYMOUS, stranger, address)
        token = self.credentials.token(secret)
        if token is None:
            self.throttle.failed(address)
            raise errors.BadToken
        return Caller(self.door, token.principal, token.scope, address, token.limits)


def _metadata(context: Context) -> dict[str, str]:
    given = context.invocation_metadata() or ()
    wanted = (AUTHORIZATION, FORWARDED_FOR)
    return {key: value for key, value in given if key in wanted and isinstance(value, str)}
