from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from segint_grpc import errors
from segint_grpc.api.doors import Registered, bind_tcp, bind_unix, build_door
from segint_grpc.home import unix_target
from tests.fakes.doorkeepers import Everybody

SERVICE = "segint.test.Echo"
METHOD = f"/{SERVICE}/Echo"


async def echo(request: StringValue, context: Any) -> StringValue:
    return request


def add_echo(server: grpc.aio.Server) -> None:
    handler = grpc.unary_unary_rpc_method_handler(echo, StringValue.FromString, StringValue.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),))


ECHO = Registered(SERVICE, add_echo)


@asynccontextmanager
async def open_door(server: grpc.aio.Server, target: str) -> AsyncIterator[grpc.aio.Channel]:
    await server.start()
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            yield channel
    finally:
        await server.stop(None)


async def test_a_port_in_use_is_refused_with_advice() -> None:
    first, second = build_door([ECHO], Everybody()), build_door([ECHO], Everybody())
    address = bind_tcp(first, "127.0.0.1:0")
    await first.start()
    with pytest.raises(errors.StartRefused, match=r"in use.*--grpc HOST:PORT"):
        bind_tcp(second, address)
    await first.stop(None)
    await second.stop(None)


async def test_port_0_becomes_the_port_that_was_taken() -> None:
    server = build_door([ECHO], Everybody())
    host, _, port = bind_tcp(server, "[::1]:0").rpartition(":")
    assert host == "[::1]"
    assert int(port) > 0
    await server.stop(None)


@pytest.mark.parametrize("name", ["core.sock", "a folder's é 100%20 #1?.sock"])
async def test_the_unix_door_answers_at_any_path_and_is_private(tmp_path: Path, name: str) -> None:
    server = build_door([ECHO], Everybody())
    path = tmp_path / name
    bind_unix(server, path)
    async with open_door(server, unix_target(path)) as channel:
        assert await channel.unary_unary(METHOD)(b"") == b""
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_socket_that_a_dead_server_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "core.sock"
    path.write_bytes(b"")
    server = build_door([ECHO], Everybody())
    bind_unix(server, path)
    async with open_door(server, unix_target(path)) as channel:
        assert await channel.unary_unary(METHOD)(b"") == b""


async def test_a_message_beyond_4_mib_is_refused(tmp_path: Path) -> None:
    server = build_door([ECHO], Everybody())
    async with open_door(server, bind_tcp(server, "127.0.0.1:0")) as channel:
        rpc = channel.unary_unary(METHOD)(b"\x0a" + b"\x80" * (5 * 1024 * 1024))
        assert await rpc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
