"""What one door makes of a call; whole cores are asked in tests/integration/test_access.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from segint_grpc import errors
from segint_grpc.api.doorkeeper import Doorkeeper
from segint_grpc.api.rules import RULES
from segint_grpc.domain.access import ANONYMOUS, Door, Scope
from segint_grpc.forwarding import AUTHORIZATION, FORWARDED_FOR
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.credentials import Credentials
from segint_grpc.service.hop import Hop
from segint_grpc.service.throttle import Throttle
from segint_grpc.settings import Settings
from segint_grpc.store.store import open_store
from tests.fakes.stores import make_home

LIST_JOBS, LIST_MODELS = "segint.v1.Jobs/ListJobs", "segint.v1.Segmentation/ListModels"
ELSEWHERE = "ipv4:192.0.2.7:50000"
HERE = "ipv6:%5B::1%5D:50000"


@dataclass
class Call:
    """What gRPC tells of a call."""

    from_peer: str = HERE
    metadata: Mapping[str, str] = field(default_factory=dict)

    def peer(self) -> str:
        return self.from_peer

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.metadata.items())


@pytest.fixture
async def credentials(tmp_path: Path) -> AsyncIterator[Credentials]:
    with open_store(make_home(tmp_path)) as store, Hop("test") as hop:
        yield Credentials(ServiceContext(store, hop, Settings()))


async def token(credentials: Credentials, scope: Scope = Scope.ADMIN) -> dict[str, str]:
    _, secret = await credentials.create("test", scope)
    return {AUTHORIZATION: f"Bearer {secret}"}


def keeper(credentials: Credentials, door: Door = Door.TCP, **changes: Any) -> Doorkeeper:
    settings = Settings(**changes.pop("settings", {}))
    return Doorkeeper(door, settings, credentials, Throttle(10, 60.0), **changes)


def admit(keeper: Doorkeeper, method: str, call: Call) -> Any:
    return keeper.admit(method, call)  # type: ignore[arg-type]


@pytest.mark.parametrize("door", Door)
def test_an_rpc_without_a_rule_is_refused_at_every_door(credentials: Credentials, door: Door) -> None:
    with pytest.raises(errors.Forbidden, match="has no rule"):
        admit(keeper(credentials, door), "segint.v1.Jobs/BrandNew", Call())


def test_no_rule_lets_strangers_in_but_to_health_and_reflection() -> None:
    open_to_all = {method.partition("/")[0] for method, rule in RULES.items() if rule.scope is Scope.NOBODY}
    assert open_to_all == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_administration_from_another_machine_takes_an_encrypted_connection(
    credentials: Credentials,
) -> None:
    call = Call(ELSEWHERE, await token(credentials))
    settings = {"client_mode": "token"}
    with pytest.raises(errors.Forbidden, match="must not travel in the clear"):
        admit(keeper(credentials, settings=settings), LIST_JOBS, call)
    admitted = admit(keeper(credentials, settings=settings, encrypted=True), LIST_JOBS, call)
    assert (admitted.scope, admitted.address) == (Scope.ADMIN, "192.0.2.7")
    assert admit(keeper(credentials, settings=settings), LIST_MODELS, call).scope is Scope.ADMIN


async def test_a_peer_over_tcp_is_believed_only_when_it_has_proved_to_be_the_gateway(
    credentials: Credentials,
) -> None:
    forwarded = Call(ELSEWHERE, {FORWARDED_FOR: "198.51.100.1"})
    assert admit(keeper(credentials), LIST_MODELS, forwarded).address == "192.0.2.7"
    proved = keeper(credentials, trusted_gateway=lambda context: True)
    assert admit(proved, LIST_MODELS, forwarded).address == "198.51.100.1"
    watching = admit(proved, "segint.v1.Segmentation/WatchJobs", Call(ELSEWHERE))
    assert (watching.principal, watching.scope) == ("gateway", Scope.NOBODY)
    with pytest.raises(errors.Forbidden, match="names its address"):
        admit(proved, LIST_MODELS, Call(ELSEWHERE))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7", ""])
@pytest.mark.parametrize("door", [Door.GATEWAY_SOCKET, Door.TCP])
async def test_a_gateway_administers_for_nobody_whatever_the_token(
    credentials: Credentials, door: Door, address: str
) -> None:
    call = Call("ipv4:127.0.0.1:50000", {FORWARDED_FOR: address, **await token(credentials)})
    proved = keeper(credentials, door, encrypted=True, trusted_gateway=lambda context: True)
    administration = [method for method, rule in RULES.items() if rule.scope > Scope.CLIENT]
    for method in administration:
        with pytest.raises(errors.Forbidden, match="speaks for clients alone"):
            admit(proved, method, call)
    assert admit(proved, LIST_MODELS, call).scope is Scope.ADMIN


@pytest.mark.parametrize("authorization", ["Basic c2VnaW50", "segint", ""])
def test_another_scheme_is_no_credential(credentials: Credentials, authorization: str) -> None:
    call = Call(metadata={AUTHORIZATION: authorization})
    assert admit(keeper(credentials), LIST_MODELS, call).principal == ANONYMOUS
    with pytest.raises(errors.Unauthenticated):
        admit(keeper(credentials), LIST_JOBS, call)


async def test_the_admin_socket_asks_for_nothing(credentials: Credentials) -> None:
    caller = admit(keeper(credentials, Door.ADMIN_SOCKET), LIST_JOBS, Call("unix:"))
    assert (caller.principal, caller.scope, caller.address) == ("owner", Scope.ADMIN, "")


async def test_a_caller_may_go_on_until_its_token_is_revoked(credentials: Credentials) -> None:
    doorkeeper = keeper(credentials)
    caller = admit(doorkeeper, LIST_JOBS, Call(metadata=await token(credentials)))
    doorkeeper.recheck(caller)
    await credentials.revoke(caller.principal.removeprefix("token:"))
    with pytest.raises(errors.Unauthenticated):
        doorkeeper.recheck(caller)
