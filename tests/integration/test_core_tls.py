"""The core's TCP port with TLS, client certificates, and gRPC's own limits, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from segint_grpc import errors
from segint_grpc.api.doors import Registered, bind_tcp, build_door
from segint_grpc.api.peer_certificates import is_trusted_gateway
from segint_grpc.api.transport import server_credentials, tcp_limits
from segint_grpc.client.trust import VARIABLES, Trust, from_environment
from segint_grpc.settings import Settings
from segint_grpc.tls.identity import server_files
from segint_grpc.tls.watched import Watched
from tests.certificates import NAMES, Certificates
from tests.fakes.doorkeepers import Everybody

SERVICE = "segint.test.Probe"
MIB = 1024 * 1024


class Probe:
    """A service that tells whether its caller is a gateway, or holds a call until the test lets go."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.let_go = asyncio.Event()

    async def tell(self, request: StringValue, context: Any) -> StringValue:
        return StringValue(value="gateway" if is_trusted_gateway(context) else "anybody")

    async def hold(self, request: StringValue, context: Any) -> StringValue:
        self.held.set()
        await self.let_go.wait()
        return StringValue(value="done")

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                behaviour, StringValue.FromString, StringValue.SerializeToString
            )
            for name, behaviour in (("Tell", self.tell), ("Hold", self.hold))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls")


@asynccontextmanager
async def port(**settings: Any) -> AsyncIterator[tuple[str, Probe]]:
    """A door of the core with the probe behind it, as the settings protect it; gives its address."""
    wanted, probe = Settings(**settings), Probe()
    server = build_door([Registered(SERVICE, probe.add_to)], Everybody(), tcp_limits(wanted))
    files = server_files(wanted)
    address = bind_tcp(server, "127.0.0.1:0", server_credentials(Watched(files)) if files else None)
    await server.start()
    try:
        yield address, probe
    finally:
        await server.stop(None)


def credentials(made: Certificates, client: str = "", gateway: bool = False) -> grpc.ChannelCredentials:
    if not client:
        return grpc.ssl_channel_credentials(made.authority.read_bytes())
    certificate, key = made.clients / f"{client}.pem", made.clients / f"{client}.key"
    if not certificate.exists():
        made.client(client, gateway)
    return grpc.ssl_channel_credentials(
        made.authority.read_bytes(), key.read_bytes(), certificate.read_bytes()
    )


OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


async def tell(address: str, shown: grpc.ChannelCredentials | None) -> str:
    channel = (
        grpc.aio.secure_channel(address, shown, options=OPTIONS)
        if shown
        else grpc.aio.insecure_channel(address, options=OPTIONS)
    )
    async with channel:
        answer = await channel.unary_unary(f"/{SERVICE}/Tell")(b"", timeout=10)
    return StringValue.FromString(answer).value


async def refused(address: str, shown: grpc.ChannelCredentials | None) -> bool:
    try:
        await tell(address, shown)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


async def test_with_a_certificate_the_port_speaks_tls_and_nothing_else(made: Certificates) -> None:
    async with port(**made.settings) as (address, _):
        assert await tell(address, credentials(made)) == "anybody"
        assert await refused(address, None)


async def test_a_client_without_the_certificate_that_is_asked_for_gets_nothing(
    made: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other")
    other.client("stranger", gateway=True)
    stranger = grpc.ssl_channel_credentials(
        made.authority.read_bytes(),
        (other.clients / "stranger.key").read_bytes(),
        (other.clients / "stranger.pem").read_bytes(),
    )
    server = grpc.ssl_channel_credentials(
        made.authority.read_bytes(), made.server_key.read_bytes(), made.server.read_bytes()
    )
    async with port(**made.settings_with_clients) as (address, _):
        for shown in (None, credentials(made), stranger, server):
            assert await refused(address, shown)
        assert await tell(address, credentials(made, "anna")) == "anybody"


async def test_a_clients_options_make_the_credentials_that_the_port_asks_for(
    made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = made.client("anna", gateway=False)
    async with port(**made.settings_with_clients) as (address, _):
        assert await tell(address, Trust(certificate, key, made.authority).channel_credentials()) == "anybody"
        for name, path in zip(VARIABLES, (certificate, key, made.authority), strict=True):
            monkeypatch.setenv(name, str(path))
        assert await tell(address, from_environment().channel_credentials()) == "anybody"
        assert await refused(address, Trust(certificate, key).channel_credentials())


def test_a_clients_certificate_without_its_key_is_refused(made: Certificates) -> None:
    with pytest.raises(errors.InvalidSetting, match="--certificate and --key are of use together"):
        Trust(made.server, None, made.authority).channel_credentials()


async def test_only_a_gateways_certificate_makes_a_gateway(made: Certificates) -> None:
    async with port(**made.settings_with_clients) as (address, _):
        assert await tell(address, credentials(made, "front", gateway=True)) == "gateway"
        assert await tell(address, credentials(made, "urn:segint:gateway".replace(":", "."))) == "anybody"


async def test_where_no_certificate_is_asked_for_nobody_is_a_gateway(made: Certificates) -> None:
    front = credentials(made, "front", gateway=True)
    async with port(**made.settings) as (address, _):
        assert await tell(address, front) == "anybody"
    async with port() as (address, _):
        assert await tell(address, None) == "anybody"


async def test_a_renewed_certificate_is_shown_to_new_connections_and_calls_go_on(
    made: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other")
    async with (
        port(**made.settings) as (address, probe),
        grpc.aio.secure_channel(address, credentials(made), options=OPTIONS) as channel,
    ):
        held = channel.unary_unary(f"/{SERVICE}/Hold")(b"", timeout=20)
        await channel.unary_unary(f"/{SERVICE}/Tell")(b"", timeout=10)
        made.renew(NAMES)
        assert await tell(address, credentials(made)) == "anybody"
        for name in ("server.key", "server.pem"):
            (other.path / name).replace(made.path / name)
        assert await refused(address, credentials(made))
        assert await tell(address, credentials(other)) == "anybody"
        probe.let_go.set()
        assert StringValue.FromString(await held).value == "done"


async def test_a_broken_certificate_keeps_the_old_one(
    made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    async with port(**made.settings) as (address, _):
        made.server.write_text("half a fi")
        assert await tell(address, credentials(made)) == "anybody"
    assert "the one before it stays" in caplog.text


async def test_connections_beyond_the_limit_are_refused_and_those_before_go_on() -> None:
    async with (
        port(grpc_connections_max=1) as (address, _),
        grpc.aio.insecure_channel(address, options=OPTIONS) as first,
    ):
        ask = first.unary_unary(f"/{SERVICE}/Tell")
        await ask(b"", timeout=10)
        assert await refused(address, None)
        await ask(b"", timeout=10)


async def test_calls_beyond_the_limit_are_answered_at_once() -> None:
    async with (
        port(grpc_calls_max=1) as (address, probe),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        calls = [channel.unary_unary(f"/{SERVICE}/Hold")(b"", timeout=20) for _ in range(2)]
        done, _ = await asyncio.wait(
            [asyncio.ensure_future(call.code()) for call in calls], return_when=asyncio.FIRST_COMPLETED
        )
        assert [task.result() for task in done] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
        probe.let_go.set()
        codes = [await call.code() for call in calls]
        assert codes.count(grpc.StatusCode.OK) == 1


async def test_streams_beyond_the_limit_of_a_connection_wait() -> None:
    async with (
        port(grpc_streams_max=1) as (address, probe),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        held = channel.unary_unary(f"/{SERVICE}/Hold")(b"", timeout=20)
        held_code = asyncio.ensure_future(held.code())  # which sends the call
        await asyncio.wait_for(probe.held.wait(), 10)
        second = channel.unary_unary(f"/{SERVICE}/Tell")(b"", timeout=0.3)
        assert await second.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        probe.let_go.set()
        assert await held_code is grpc.StatusCode.OK


async def test_large_metadata_is_refused() -> None:
    async with (
        port(grpc_metadata_max_bytes=4096) as (address, _),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        ask = channel.unary_unary(f"/{SERVICE}/Tell")
        assert await ask(b"", metadata=(("x", "y" * 3000),), timeout=10) is not None
        call = ask(b"", metadata=(("x", "y" * 5000),), timeout=10)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(("limit", "size"), [({}, 5), ({"grpc_message_max_bytes": 2 * MIB}, 3)])
async def test_a_large_message_is_refused(limit: dict[str, int], size: int) -> None:
    async with (
        port(**limit) as (address, _),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        call = channel.unary_unary(f"/{SERVICE}/Tell")(b"x" * size * MIB, timeout=10)
        assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_an_old_connection_takes_no_new_calls_and_ends_those_it_has() -> None:
    async with (
        port(grpc_connection_age_s=1.0) as (address, probe),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        held = asyncio.ensure_future(channel.unary_unary(f"/{SERVICE}/Hold")(b"", timeout=30).code())
        await asyncio.wait_for(probe.held.wait(), 10)
        await left(channel)
        assert await channel.unary_unary(f"/{SERVICE}/Tell")(b"", timeout=10) is not None
        assert not held.done()
        probe.let_go.set()
        assert await held is grpc.StatusCode.OK


async def left(channel: grpc.aio.Channel) -> None:
    """Wait until the channel has no connection for new calls."""
    state = channel.get_state()
    while state is grpc.ChannelConnectivity.READY:
        await asyncio.wait_for(channel.wait_for_state_change(state), 20)
        state = channel.get_state()


async def test_a_client_that_pings_too_often_is_sent_away() -> None:
    often = (("grpc.keepalive_time_ms", 10), ("grpc.http2.max_pings_without_data", 0))
    async with (
        port(grpc_ping_interval_min_s=30.0) as (address, _),
        grpc.aio.insecure_channel(address, options=(*OPTIONS, *often)) as channel,
    ):
        call = channel.unary_unary(f"/{SERVICE}/Hold")(b"", timeout=30)
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        assert "too_many_pings" in (await call.details()).lower().replace(" ", "_")


async def test_an_idle_connection_is_closed_and_the_next_call_opens_another() -> None:
    async with (
        port(grpc_idle_s=1.0) as (address, _),
        grpc.aio.insecure_channel(address, options=OPTIONS) as channel,
    ):
        ask = channel.unary_unary(f"/{SERVICE}/Tell")
        await ask(b"", timeout=10)
        await left(channel)
        await ask(b"", timeout=10)
