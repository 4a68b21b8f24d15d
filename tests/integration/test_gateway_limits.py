"""What the gateway bears of a client that is slow, silent, or too many; on real connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from generated.radiomics import Model_pb2
from tests.certificates import Certificates
from tests.fakes.gateway import POST_PATH, PROTOBUF, Bench, gateway_bench, job_path, scan

PING = b"GET /ping HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n"
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def upload_head(size_bytes: int) -> bytes:
    return (
        f"POST {POST_PATH} HTTP/1.1\r\nHost: h\r\nAccept: {PROTOBUF}\r\nContent-Type: {PROTOBUF}\r\n"
        f"Content-Length: {size_bytes}\r\n\r\n"
    ).encode()


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """Everything that comes until the server ends the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""


async def status_of(stream: Stream, request: bytes = PING) -> int:
    """The status of the answer to `request`; the answer is read whole."""
    reader, writer = stream
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    await reader.readexactly(int(length.rpartition(b" ")[2]))
    return int(head.split()[1])


@asynccontextmanager
async def connections(bench: Bench, count: int) -> AsyncIterator[list[Stream]]:
    """Open `count` connections, one after the other, so that the first is the oldest."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(bench.connection()) for _ in range(count)]


async def figure(bench: Bench, name: str) -> float:
    lines = (await bench.get("/metrics")).body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def test_a_connection_that_sends_nothing_is_closed_without_a_word_of_http_being_needed() -> None:
    async with gateway_bench(header_timeout_s=0.2) as bench, bench.connection() as (reader, _):
        assert b" 408 " in await end_of(reader)


async def test_headers_that_drip_are_given_up_however_often_a_byte_comes() -> None:
    async with gateway_bench(header_timeout_s=0.3) as bench, bench.connection() as (reader, writer):
        writer.write(b"GET /ping HTTP/1.1\r\n")
        ending = asyncio.create_task(end_of(reader))
        while not ending.done():
            writer.write(b"X: y\r\n")
            await asyncio.wait({ending}, timeout=0.05)
        assert b" 408 " in ending.result()
        assert await figure(bench, "segint_http_timeouts_total") == 1


async def test_headers_that_drip_on_a_kept_connection_are_given_up_too() -> None:
    async with gateway_bench(header_timeout_s=0.3) as bench, bench.connection() as stream:
        assert await status_of(stream) == 200
        reader, writer = stream
        writer.write(b"GET /pi")
        assert b" 408 " in await end_of(reader)


async def test_a_kept_connection_may_rest_longer_than_headers_may_take() -> None:
    async with gateway_bench(header_timeout_s=0.2) as bench, bench.connection() as stream:
        assert await status_of(stream) == 200
        await asyncio.wait({asyncio.create_task(end_of(stream[0]))}, timeout=0.5)
    async with gateway_bench(header_timeout_s=0.2) as bench, bench.connection() as stream:
        for _ in range(3):
            assert await status_of(stream) == 200
            await asyncio.sleep(0.25)


async def test_a_kept_connection_without_a_request_is_closed() -> None:
    async with gateway_bench(keep_alive_s=0.2) as bench, bench.connection() as stream:
        assert await status_of(stream) == 200
        assert await end_of(stream[0]) == b""


async def test_an_answer_that_takes_long_is_not_taken_for_a_slow_client() -> None:
    async with (
        gateway_bench(header_timeout_s=0.2, keep_alive_s=0.2) as bench,
        bench.connection() as (reader, writer),
    ):
        job = bench.core.job()
        writer.write(f"GET {job_path(job.id, tail='/events')} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await reader.readuntil(b"event: progress")
        await asyncio.sleep(0.5)
        await job.succeed(b"x")
        await asyncio.wait_for(reader.readuntil(b"event: end"), 10)


async def test_a_body_that_trickles_is_given_up_though_it_is_never_silent() -> None:
    async with gateway_bench(silence_s=0.5, body_rate_min_bytes=1000) as bench:
        async with bench.connection() as (reader, writer):
            writer.write(upload_head(10_000))
            refusal = asyncio.create_task(reader.readuntil(b"body_rate_min_bytes"))
            while not refusal.done():
                writer.write(b"x")
                await asyncio.wait({refusal}, timeout=0.05)
            assert b" 408 " in refusal.result().splitlines()[0]
        await asyncio.wait_for(bench.core.upload_ended.wait(), 10)
        assert bench.core.jobs == {}


async def test_a_slow_body_that_keeps_the_rate_is_taken() -> None:
    body = scan(3000)
    async with (
        gateway_bench(silence_s=0.3, body_rate_min_bytes=1000) as bench,
        bench.connection() as (reader, writer),
    ):
        writer.write(upload_head(len(body)))
        for start in range(0, len(body), 200):
            writer.write(body[start : start + 200])
            await asyncio.sleep(0.05)
        assert b" 200 " in await asyncio.wait_for(reader.readline(), 10)


async def test_a_new_connection_takes_the_place_of_the_one_that_is_idle_longest() -> None:
    async with gateway_bench(connections_per_address_max=3) as bench, connections(bench, 3) as old:
        assert [await status_of(stream) for stream in reversed(old)] == [200] * 3
        async with bench.connection() as new:
            assert await status_of(new) == 200
            assert await end_of(old[2][0]) == b""
            assert [await status_of(stream) for stream in old[:2]] == [200, 200]
        assert await figure(bench, "segint_http_connections_turned_away_total") >= 1


@pytest.mark.parametrize("limit", ["connections_max", "connections_per_address_max"])
async def test_where_no_connection_is_idle_a_new_one_is_answered_503(limit: str) -> None:
    async with gateway_bench(**{limit: 2}) as bench, connections(bench, 2) as busy:
        for _, writer in busy:
            bench.core.upload_began.clear()
            writer.write(upload_head(10_000) + b"x")
            await asyncio.wait_for(bench.core.upload_began.wait(), 20)
        async with asyncio.timeout(20):
            answer = await first_answer(bench)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 5" in answer
            busy[0][1].close()
            while b" 503 " in answer:
                answer = await first_answer(bench)
        assert b" 200 " in answer


async def first_answer(bench: Bench) -> bytes:
    """The head of what a new connection is answered."""
    async with bench.connection() as (reader, writer):
        writer.write(PING)
        return await reader.readuntil(b"\r\n\r\n")


async def test_connections_that_wait_for_a_handshake_make_room_as_well(tmp_path: Path) -> None:
    made = Certificates(tmp_path / "tls")
    async with gateway_bench(https="127.0.0.1:0", connections_max=5, **made.settings) as bench:
        host, _, port = bench.secure_address.rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(8)]
        reader, writer = await asyncio.open_connection(host, int(port), ssl=made.context())
        assert await status_of((reader, writer)) == 200
        ended = [await end_of(reader) for reader, _ in silent[:4]]
        assert ended == [b""] * 4
        for _, one in [*silent, (reader, writer)]:
            one.close()


async def test_whoever_leaves_is_not_counted_any_more(tmp_path: Path) -> None:
    made = Certificates(tmp_path / "tls")
    async with gateway_bench(https="127.0.0.1:0", connections_max=3, **made.settings) as bench:
        for address, context in ((bench.address, None), (bench.secure_address, made.context())):
            host, _, port = address.rpartition(":")
            for _ in range(10):
                stream = await asyncio.open_connection(host, int(port), ssl=context)
                assert await status_of(stream) == 200
                stream[1].close()
                await stream[1].wait_closed()
            _, writer = await asyncio.open_connection(host, int(port))
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.write(b"\x16\x03\x01broken")
            writer.close()
        assert await figure(bench, "segint_http_connections_turned_away_total") == 0
        assert await figure(bench, "segint_http_connections ") == 1


async def test_a_header_longer_than_the_limit_is_a_400() -> None:
    async with gateway_bench(header_max_bytes=2000) as bench:
        raw = PING[:-2] + b"X-Long: " + b"y" * 3000 + b"\r\n\r\n"
        answer = await bench.send_raw(raw)
        assert b" 400 " in answer.splitlines()[0]
        assert b"longer than 2000 bytes" in answer
        answer = await bench.send_raw(b"GET /" + b"y" * 3000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b" 400 " in answer.splitlines()[0]


async def test_more_headers_than_the_limit_are_a_400() -> None:
    async with gateway_bench(headers_max=16) as bench:
        raw = PING[:-2] + b"".join(b"X-%d: y\r\n" % number for number in range(20)) + b"\r\n"
        answer = await bench.send_raw(raw)
        assert b" 400 " in answer.splitlines()[0]
        assert b"more than 16 headers" in answer


async def test_a_client_that_asks_and_reads_nothing_is_ended_by_the_kernel() -> None:
    async with gateway_bench(silence_s=0.5) as bench:
        host, port = bench.address.rsplit(":", 1)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (host, int(port)))
        asked = b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n" * 200
        sending = asyncio.create_task(loop.sock_sendall(client, asked))
        for _ in range(300):
            if await figure(bench, "segint_http_connections ") == 1:
                break
            await asyncio.sleep(0.1)
        assert await figure(bench, "segint_http_connections ") == 1
        sending.cancel()
        client.close()


async def test_idle_and_slow_connections_keep_no_client_from_its_result() -> None:
    body = scan(500_000)
    async with gateway_bench() as bench, connections(bench, 250) as crowd:
        for number, (_, writer) in enumerate(crowd[:50]):
            writer.write(upload_head(10_000) + b"x" * number)
        answer = await bench.post(body, Accept=PROTOBUF)
        assert answer.status == 200
        task = Model_pb2.SegmentationTask.FromString(answer.body)
        await bench.core.jobs[task.SegmentationID].succeed(b"result")
        assert (await bench.get(job_path(task.SegmentationID, tail="/result"))).body == b"result"
