from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc import status_pb2

from generated.segint.v1.segmentation_pb2 import GetProgressRequest, GetProgressResponse
from segint_grpc import errors, logs, refusal
from segint_grpc.api.details import DETAILS_METADATA
from segint_grpc.api.doors import Registered, bind_tcp, build_door
from tests.fakes.doorkeepers import Everybody

SERVICE = "segint.test.Echo"
KINDS = ("UnaryUnary", "StreamUnary", "UnaryStream", "StreamStream", "WritesItself")
LONG = errors.UnknownModel("There is " + "another, " * 2000, "Nothing", ["another"] * 2000)
FAILURES = {"lost": errors.UnknownJob(), "long": LONG, "broken": ValueError("name of a patient")}


def answer(text: str) -> StringValue:
    if text in FAILURES:
        raise FAILURES[text]
    return StringValue(value=f"{text} in {logs.request_id.get()}")


async def unary_unary(request: StringValue, context: Any) -> StringValue:
    return answer(request.value)


async def stream_unary(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
    return answer("".join([request.value async for request in requests]))


async def unary_stream(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
    yield StringValue(value="first")
    yield answer(request.value)


async def stream_stream(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
    async for request in requests:
        yield StringValue(value="first")
        yield answer(request.value)


async def writes_itself(request: StringValue, context: Any) -> None:
    await context.write(StringValue(value="first"))
    await context.write(answer(request.value))


async def progress(request: GetProgressRequest, context: Any) -> GetProgressResponse:
    logging.getLogger("segint.test").info("looking")
    return GetProgressResponse()


def add_echo(server: grpc.aio.Server) -> None:
    coders = (StringValue.FromString, StringValue.SerializeToString)
    handlers = {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(unary_unary, *coders),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(stream_unary, *coders),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(unary_stream, *coders),
        "StreamStream": grpc.stream_stream_rpc_method_handler(stream_stream, *coders),
        "WritesItself": grpc.unary_stream_rpc_method_handler(writes_itself, *coders),
        "Progress": grpc.unary_unary_rpc_method_handler(
            progress, GetProgressRequest.FromString, GetProgressResponse.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    server = build_door([Registered(SERVICE, add_echo)], Everybody())
    address = bind_tcp(server, "127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel
    await server.stop(None)


async def call(channel: grpc.aio.Channel, kind: str, request: bytes, request_id: str = "r-1") -> list[str]:
    """Return the texts that the RPC of `kind` answers to the serialized `request`."""
    metadata = grpc.aio.Metadata((logs.REQUEST_ID_METADATA, request_id))
    path, decode = f"/{SERVICE}/{kind}", StringValue.FromString
    match kind:
        case "UnaryUnary":
            return [(await channel.unary_unary(path, None, decode)(request, metadata=metadata)).value]
        case "StreamUnary":
            rpc: Any = channel.stream_unary(path, None, decode)(iter([request]), metadata=metadata)
            return [(await rpc).value]
        case "StreamStream":
            rpc = channel.stream_stream(path, None, decode)(iter([request]), metadata=metadata)
        case _:
            rpc = channel.unary_stream(path, None, decode)(request, metadata=metadata)
    return [message.value async for message in rpc]


def text(value: str) -> bytes:
    return StringValue(value=value).SerializeToString()


@pytest.mark.parametrize("kind", KINDS)
async def test_every_message_of_every_kind_arrives_under_the_callers_request_id(
    channel: grpc.aio.Channel, kind: str
) -> None:
    streamed = kind in ("UnaryStream", "StreamStream", "WritesItself")
    expected = ["first", "hello in r-1"] if streamed else ["hello in r-1"]
    assert await call(channel, kind, text("hello")) == expected


@pytest.mark.parametrize("kind", KINDS)
async def test_a_domain_error_of_every_kind_becomes_its_status_and_sentence(
    channel: grpc.aio.Channel, kind: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, kind, text("lost"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "The segmentation does not exist."


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_of_every_kind_carries_details_that_a_program_can_read(
    channel: grpc.aio.Channel, kind: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, kind, text("lost"), request_id="r-7")
    trailing = dict(iter(caught.value.trailing_metadata() or ()))
    assert trailing[logs.REQUEST_ID_METADATA] == "r-7"
    status = status_pb2.Status.FromString(trailing[DETAILS_METADATA])
    assert status.code == grpc.StatusCode.NOT_FOUND.value[0]
    assert b"r-7" in status.details[0].value


@pytest.mark.parametrize("kind", KINDS)
async def test_of_a_sentence_longer_than_clients_take_the_beginning_arrives(
    channel: grpc.aio.Channel, kind: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="There is another, another") as caught:
        await call(channel, kind, text("long"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unexpected_error_of_every_kind_shows_the_request_id_and_nothing_else(
    channel: grpc.aio.Channel, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, kind, text("broken"), request_id="r-77")
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "r-77" in (caught.value.details() or "")
    assert "patient" not in (caught.value.details() or "")
    failure = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert failure.exc_info is not None
    assert isinstance(failure.exc_info[1], ValueError)


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_that_are_no_message_are_an_invalid_argument_in_every_kind(
    channel: grpc.aio.Channel, kind: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, kind, b"\x0a\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("given", ["", "two words", 'a;b"c', "x" * 65])
async def test_a_request_id_that_could_forge_log_lines_is_replaced(
    channel: grpc.aio.Channel, given: str
) -> None:
    answers = await call(channel, "UnaryUnary", text("hello"), request_id=given)
    used = answers[0].removeprefix("hello in ")
    assert used != given
    assert len(used) == 16


async def test_the_answer_carries_the_request_id_that_was_used(channel: grpc.aio.Channel) -> None:
    rpc = channel.unary_unary(f"/{SERVICE}/UnaryUnary", None, StringValue.FromString)(text("hello"))
    used = (await rpc).value.removeprefix("hello in ")
    assert (await rpc.trailing_metadata())[logs.REQUEST_ID_METADATA] == used


async def test_a_failed_call_carries_the_request_id_too(channel: grpc.aio.Channel) -> None:
    rpc = channel.unary_unary(f"/{SERVICE}/UnaryUnary")(text("lost"))
    assert await rpc.code() is grpc.StatusCode.NOT_FOUND
    assert (await rpc.trailing_metadata())[logs.REQUEST_ID_METADATA]


@pytest.mark.parametrize("size", [1_000, 1_000_000])
async def test_a_caller_that_is_still_sending_learns_why_it_was_refused(
    channel: grpc.aio.Channel, size: int
) -> None:
    messages = iter([b"\xff", *[b"x" * size] * 20])
    rpc = channel.stream_unary(f"/{SERVICE}/StreamUnary")(messages)
    told = refusal.unpack(await rpc.initial_metadata())
    assert told == ("INVALID_ARGUMENT", "The bytes are no message of the expected type.")


async def test_an_answer_tells_of_no_refusal(channel: grpc.aio.Channel) -> None:
    rpc = channel.unary_unary(f"/{SERVICE}/UnaryUnary")(text("hello"))
    assert refusal.unpack(await rpc.initial_metadata()) is None


async def test_a_method_that_does_not_exist_is_unimplemented(channel: grpc.aio.Channel) -> None:
    assert await channel.unary_unary(f"/{SERVICE}/Nothing")(b"").code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_request_that_names_a_job_is_logged_under_the_jobs_canonical_id(
    channel: grpc.aio.Channel,
) -> None:
    seen: list[str] = []

    class Watcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(logs.job_id.get())

    logger, watcher = logging.getLogger("segint.test"), Watcher()
    logger.setLevel(logging.INFO)
    logger.addHandler(watcher)
    request = GetProgressRequest(segmentation_id="5F2C6A3E1B8B4D0E9B0A7C1D2E3F4A5B").SerializeToString()
    await channel.unary_unary(f"/{SERVICE}/Progress")(request)
    logger.removeHandler(watcher)
    assert seen == ["5f2c6a3e-1b8b-4d0e-9b0a-7c1d2e3f4a5b"]


async def test_a_request_that_names_no_possible_job_is_not_found(channel: grpc.aio.Channel) -> None:
    request = GetProgressRequest(segmentation_id="not an id").SerializeToString()
    assert await channel.unary_unary(f"/{SERVICE}/Progress")(request).code() is grpc.StatusCode.NOT_FOUND


async def test_a_caller_that_goes_away_ends_the_handlers_generator(caplog: pytest.LogCaptureFixture) -> None:
    closed = asyncio.Event()

    async def endless(request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        try:
            yield StringValue(value="first")
            await asyncio.Event().wait()
        finally:
            closed.set()

    def add(server: grpc.aio.Server) -> None:
        coders = (StringValue.FromString, StringValue.SerializeToString)
        handlers = {"Endless": grpc.unary_stream_rpc_method_handler(endless, *coders)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    server = build_door([Registered(SERVICE, add)], Everybody())
    address = bind_tcp(server, "127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        rpc = channel.unary_stream(f"/{SERVICE}/Endless")(b"")
        await rpc.read()
        rpc.cancel()
        await asyncio.wait_for(closed.wait(), 10)
    await server.stop(None)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
