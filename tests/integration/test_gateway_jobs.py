"""Posting scans, following jobs and fetching masks."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator

import aiohttp
import grpc
import pytest
import pytest_asyncio

from generated.radiomics import Model_pb2
from tests.fakes.gateway import (
    AS_PROTOBUF,
    JSON,
    POST_PATH,
    PROTOBUF,
    Bench,
    gateway_bench,
    in_pieces,
    job_path,
    scan,
)

MIB = 1024 * 1024


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with gateway_bench(upload_max_bytes=8 * MIB, json_max_bytes=MIB) as bench:
        yield bench


def task(body: bytes) -> Model_pb2.SegmentationTask:
    return Model_pb2.SegmentationTask.FromString(body)


async def test_a_posted_scan_becomes_a_job(bench: Bench) -> None:
    answer = await bench.post(scan())
    assert answer.status == 200
    job = bench.core.jobs[task(answer.body).SegmentationID]
    assert job.caller == "127.0.0.1"
    assert task(answer.body).StartTime.seconds > 0


async def test_a_large_scan_arrives_in_chunks_that_a_message_may_hold(bench: Bench) -> None:
    body = scan(6 * MIB)
    answer = await bench.post(in_pieces(body), **{"Content-Length": str(len(body))})
    assert answer.status == 200
    assert bench.core.received_bytes == len(body)
    assert bench.core.largest_chunk_bytes <= MIB


async def test_a_chunked_upload_works(bench: Bench) -> None:
    body = scan(3 * MIB)
    assert (await bench.post(in_pieces(body))).status == 200
    assert bench.core.received_bytes == len(body)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
async def test_a_gzip_body_is_decoded(bench: Bench, coding: str) -> None:
    body = scan(3 * MIB)
    answer = await bench.post(gzip.compress(body), **{"Content-Encoding": coding})
    assert answer.status == 200
    assert bench.core.received_bytes == len(body)


async def test_a_gzip_bomb_ends_at_the_limit(bench: Bench) -> None:
    bomb = gzip.compress(scan(64 * MIB))
    answer = await bench.post(bomb, **{"Content-Encoding": "gzip"})
    assert answer.status == 413
    assert bench.core.received_bytes <= 8 * MIB
    assert bench.core.jobs == {}


async def test_broken_gzip_is_a_400_and_no_job(bench: Bench) -> None:
    answer = await bench.post(gzip.compress(scan())[:-3], **{"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "gzip" in answer.error.ExceptionDetails
    await asyncio.wait_for(bench.core.upload_ended.wait(), 10)
    assert bench.core.jobs == {}


async def test_another_coding_is_a_415_that_names_gzip(bench: Bench) -> None:
    answer = await bench.post(scan(), **{"Content-Encoding": "br"})
    assert answer.status == 415
    assert "gzip" in answer.headers["Accept-Encoding"]


async def test_a_length_over_the_limit_is_refused_before_the_body_is_read(bench: Bench) -> None:
    async with bench.connection() as (reader, writer):
        writer.write(head_of(f"Content-Length: {9 * MIB}"))
        answer = await reader.readuntil(b"\r\n\r\n")
    assert b" 413 " in answer
    assert b"Connection: close" in answer
    assert bench.core.submissions == 0


async def test_a_chunked_body_over_the_limit_is_a_413(bench: Bench) -> None:
    answer = await bench.post(in_pieces(scan(10 * MIB)))
    assert answer.status == 413
    assert str(8 * MIB) in answer.error.ExceptionDetails
    assert bench.core.jobs == {}


async def test_expect_100_continue_is_answered_before_the_body(bench: Bench) -> None:
    body = scan()
    async with bench.connection() as (reader, writer):
        writer.write(expecting("100-Continue", len(body)))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert b" 200 " in await reader.readline()
    assert len(bench.core.jobs) == 1


async def test_expect_100_continue_with_a_body_over_the_limit_is_refused_instead(bench: Bench) -> None:
    async with bench.connection() as (reader, writer):
        writer.write(expecting("100-continue", 9 * MIB))
        assert b" 413 " in await reader.readline()


async def test_an_error_after_100_continue_is_still_an_answer(bench: Bench) -> None:
    bench.core.failure = (grpc.StatusCode.RESOURCE_EXHAUSTED, "The queue is full.")
    async with bench.connection() as (reader, writer):
        writer.write(expecting("100-continue", 1000))
        assert b" 100 " in await reader.readline()
        await reader.readline()
        assert b" 503 " in await reader.readline()


async def test_any_other_expectation_is_a_417(bench: Bench) -> None:
    async with bench.connection() as (reader, writer):
        writer.write(expecting("a-miracle", 10))
        assert b" 417 " in await reader.readline()


def expecting(what: str, size_bytes: int) -> bytes:
    return head_of(f"Content-Length: {size_bytes}", f"Expect: {what}")


def head_of(*fields: str, path: str = POST_PATH) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: h", f"Content-Type: {PROTOBUF}", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_an_unknown_model_is_a_400_at_once_and_nothing_is_stored(bench: Bench) -> None:
    async with bench.connection() as (reader, writer):
        head = head_of(f"Content-Length: {MIB}", path="/api/v2/Model/nothing/segmentation")
        writer.write(head)  # and no body: the refusal must not wait for one
        assert b" 400 " in await reader.readline()
    assert bench.core.jobs == {}


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff", Model_pb2.ModelInput().SerializeToString()])
async def test_an_empty_or_unparsable_body_is_a_400(bench: Bench, body: bytes) -> None:
    answer = await bench.post(body)
    assert answer.status == 400
    assert answer.error.ErrorMessage == "Invalid request."


async def test_a_core_that_refuses_amid_the_upload_reaches_the_client(bench: Bench) -> None:
    bench.core.refuse_after_bytes = MIB
    body = scan(7 * MIB)
    answer = await bench.post(in_pieces(body))
    assert answer.status == 503
    assert answer.error.ExceptionDetails.startswith("The disk is full.")
    assert bench.core.received_bytes < len(body)
    assert (await bench.get("/ping")).status == 200


async def test_the_same_post_again_is_the_first_job(bench: Bench) -> None:
    first, second = await bench.post(scan()), await bench.post(scan())
    assert task(first.body).SegmentationID == task(second.body).SegmentationID


async def test_a_client_that_goes_away_amid_the_upload_ends_the_rpc(bench: Bench) -> None:
    async with bench.connection() as (_, writer):
        writer.write(expecting("100-continue", MIB) + scan())
        await asyncio.wait_for(bench.core.upload_began.wait(), 10)
    await asyncio.wait_for(bench.core.upload_ended.wait(), 10)
    assert bench.core.jobs == {}


async def test_broken_chunks_are_a_400(bench: Bench) -> None:
    answer = await bench.send_raw(head_of("Transfer-Encoding: chunked") + b"5\r\nhello\r\nnonsense\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert b"Invalid request." in answer
    assert bench.core.jobs == {}


async def test_a_client_that_falls_silent_is_given_up() -> None:
    async with gateway_bench(silence_s=0.1) as bench, bench.connection() as (reader, writer):
        writer.write(expecting("100-continue", MIB))
        await reader.readuntil(b"\r\n\r\n")
        assert b" 408 " in await reader.readline()


async def test_progress_is_what_the_core_says(bench: Bench) -> None:
    job = bench.core.job()
    await job.report(42, "infer")
    await job.fail("DecompressionError", "The data is no intact gzip.")
    assert json.loads((await bench.get(job_path(job.id), **JSON)).body) == {
        "Progress": 42,
        "Errors": "The data is no intact gzip.",
        "ErrorCode": "DecompressionError",
    }


@pytest.mark.parametrize(
    ("method", "tail"), [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")]
)
async def test_an_unknown_job_or_another_model_s_is_a_400(bench: Bench, method: str, tail: str) -> None:
    mine = bench.core.job("mine")
    for path in (
        job_path("nonsense", tail=tail),
        job_path(mine.id, "other", tail),
        job_path(mine.id, tail=tail),
    ):
        answer = await bench.ask(method, path)
        assert answer.status == 400
        assert answer.error.ExceptionDetails.startswith("The segmentation does not exist.")


async def test_delete_cancels_the_job(bench: Bench) -> None:
    job = bench.core.job()
    answer = await bench.ask("DELETE", job_path(job.id))
    assert answer.status == 200
    assert Model_pb2.SegmentationProgress.FromString(answer.body).Errors == "Cancelled."
    assert job.ended


def output(size_bytes: int) -> bytes:
    message = Model_pb2.ModelOutput(ModelID="m", Channels=[Model_pb2.ModelOutputChannel()])
    message.Channels[0].Volume.Data = random.Random(3).randbytes(size_bytes)
    return message.SerializeToString()


async def test_a_result_is_400_while_the_job_runs_and_with_its_error_after_it_failed(bench: Bench) -> None:
    job = bench.core.job()
    answer = await bench.get(job_path(job.id, tail="/result"))
    assert (answer.status, "still processing" in answer.error.ExceptionDetails) == (400, True)
    await job.fail("InternalError", "The model died of SIGSEGV.")
    answer = await bench.get(job_path(job.id, tail="/result"))
    assert (answer.status, "SIGSEGV" in answer.error.ExceptionDetails) == (400, True)


@pytest.mark.parametrize("size_bytes", [0, 1, 5 * MIB])
async def test_a_result_comes_byte_for_byte_and_again(bench: Bench, size_bytes: int) -> None:
    job = bench.core.job()
    stored = output(size_bytes) if size_bytes else b""
    await job.succeed(stored)
    for _ in range(2):
        answer = await bench.get(job_path(job.id, tail="/result"))
        assert (answer.status, answer.body) == (200, stored)
        assert answer.headers["Content-Length"] == str(len(stored))
        assert answer.headers["Content-Type"] == PROTOBUF


async def test_a_result_is_translated_into_json_where_it_is_asked_for(bench: Bench) -> None:
    job = bench.core.job()
    await job.succeed(output(300_000))
    answer = await bench.get(job_path(job.id, tail="/result"), **JSON)
    assert answer.headers["Content-Type"] == "application/json"
    told = json.loads(answer.body)
    assert told["ModelID"] == "m"
    assert len(told["Channels"][0]["Volume"]["Data"]) == 400_000


async def test_a_result_too_large_for_json_is_a_406_that_names_protobuf(bench: Bench) -> None:
    job = bench.core.job()
    await job.succeed(output(MIB))
    answer = await bench.get(job_path(job.id, tail="/result"), **JSON)
    assert answer.status == 406
    assert PROTOBUF in json.loads(answer.body)["ExceptionDetails"]


async def test_a_result_that_breaks_off_is_no_whole_answer(bench: Bench) -> None:
    job = bench.core.job()
    await job.succeed(output(4 * MIB))
    bench.core.cut_result_after_bytes = MIB
    with pytest.raises(aiohttp.ClientPayloadError):
        await bench.get(job_path(job.id, tail="/result"))
    bench.core.cut_result_after_bytes = None
    assert (await bench.get(job_path(job.id, tail="/result"))).status == 200


async def test_a_client_that_takes_nothing_of_a_result_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with gateway_bench(silence_s=0.1) as bench, bench.connection() as (reader, writer):
        job = bench.core.job()
        await job.succeed(output(64 * MIB))
        writer.write(f"GET {job_path(job.id, tail='/result')} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await asyncio.wait_for(bench.core.result_ended.wait(), 10)
        received = await reader.read()
    assert len(received) < 64 * MIB
    own = [record for record in caplog.records if record.name.startswith("http_gateway")]
    assert [record.message for record in own] == ["the client went away"]


async def test_an_upload_in_progress_is_finished_when_the_gateway_stops() -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        async with gateway_bench(stop_grace_s=60.0) as bench:
            url = f"http://{bench.address}"
            events = await session.get(url + job_path(bench.core.job().id, tail="/events"))

            async def body() -> AsyncIterator[bytes]:
                yield scan()[:500]
                await events.read()  # which ends when the gateway begins to stop
                yield scan()[500:]

            posting = asyncio.create_task(session.post(url + POST_PATH, data=body(), headers=AS_PROTOBUF))
            await bench.core.upload_began.wait()
        async with await posting as response:
            assert response.status == 200


async def test_many_clients_upload_at_once(bench: Bench) -> None:
    async def one(number: int) -> int:
        body = Model_pb2.ModelInput.FromString(scan(MIB))
        body.Channels[0].VolumeID = str(number)
        answer = await bench.ask(
            "POST", POST_PATH, data=in_pieces(body.SerializeToString()), headers=AS_PROTOBUF
        )
        return answer.status

    assert await asyncio.gather(*map(one, range(8))) == [200] * 8
    assert len(bench.core.jobs) == 8
