"""The general rules of the HTTP contract, on real connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from generated.radiomics import Model_pb2
from http_gateway.routes import ROUTES
from http_gateway.routing import Route
from tests.fakes.gateway import JSON, POST_PATH, PROTOBUF, Bench, gateway_bench, job_path, scan

CASES = [pytest.param(route, id=f"{route.method} {route.path}") for route in ROUTES]
POSTS = [pytest.param(route, id=route.path) for route in ROUTES if route.method == "POST"]


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with gateway_bench() as bench:
        yield bench


def path_of(route: Route, job_id: str = "x") -> str:
    return route.path.replace("{model}", "Centered%20Orange%20Square").replace("{id}", job_id)


def is_refusal(status: int, body: bytes, expected: int) -> bool:
    message = Model_pb2.BadRequestResponse.FromString(body)
    return (
        status == expected
        and message.ErrorMessage == "Invalid request."
        and "(request id " in message.ExceptionDetails
        and "Traceback" not in message.ExceptionDetails
    )


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ({}, PROTOBUF),
        ({"Accept": PROTOBUF}, PROTOBUF),
        ({"Accept": "text/html, APPLICATION/x-protobuf"}, PROTOBUF),
        ({"Accept": "application/json"}, "application/json"),
        ({"Accept": "*/*"}, "application/json"),
        ({"Accept": f"{PROTOBUF};q=0.1, application/json"}, "application/json"),
    ],
)
async def test_accept_decides_between_protobuf_and_json(
    bench: Bench, accept: dict[str, str], content_type: str
) -> None:
    answer = await bench.get("/ping", **accept)
    assert answer.headers["Content-Type"] == content_type
    if content_type == PROTOBUF:
        assert Model_pb2.ApiInformation.FromString(answer.body).Version == "v2"
    else:
        assert json.loads(answer.body) == {"Version": "v2"}


async def test_several_accept_headers_count_together(bench: Bench) -> None:
    raw = (
        b"GET /ping HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n"
        b"Accept: application/x-protobuf\r\nConnection: close\r\n\r\n"
    )
    assert b"Content-Type: application/x-protobuf" in await bench.send_raw(raw)


async def test_json_has_the_names_of_the_proto_and_leaves_default_values_out(bench: Bench) -> None:
    family = json.loads((await bench.get("/api/v2/Model/", **JSON)).body)["Models"][0]
    version = family["ModelVersions"][0]
    assert version["CreatedOn"] == "2020-07-28T14:42:10Z"
    assert version["Structures"][0]["Type"] == "Organ"
    assert "MajorVersion" not in version
    assert version["MinorVersion"] == 1


async def test_progress_zero_is_a_200_with_an_empty_body(bench: Bench) -> None:
    answer = await bench.get(job_path(bench.core.job().id))
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
    assert answer.headers["Content-Type"] == PROTOBUF


@pytest.mark.parametrize("route", CASES)
async def test_a_wrong_method_is_a_403_that_names_the_allowed_one(bench: Bench, route: Route) -> None:
    allowed = [other.method for other in ROUTES if other.path == route.path]
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} - {*allowed}:
        answer = await bench.ask(method, path_of(route))
        assert is_refusal(answer.status, answer.body, 403)
        assert answer.headers["Allow"] == ", ".join(allowed)
        assert allowed[0] in answer.error.ExceptionDetails


async def test_head_is_refused_without_a_body(bench: Bench) -> None:
    answer = await bench.ask("HEAD", "/ping")
    assert (answer.status, answer.body, answer.headers["Allow"]) == (403, b"", "GET")


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "application/x-protobuffer"])
async def test_a_post_of_another_media_type_is_a_415(bench: Bench, route: Route, kind: str) -> None:
    answer = await bench.ask("POST", path_of(route), data=b"x", headers={"Content-Type": kind})
    assert is_refusal(answer.status, answer.body, 415)
    assert bench.core.submissions == 0


@pytest.mark.parametrize("kind", ["application/x-protobuf; charset=utf-8", "Application/X-Protobuf"])
async def test_the_media_type_may_have_parameters_and_any_case(bench: Bench, kind: str) -> None:
    answer = await bench.ask("POST", POST_PATH, data=scan(), headers={"Content-Type": kind})
    assert answer.status == 200


async def test_the_method_is_checked_before_the_media_type_and_that_before_the_length(bench: Bench) -> None:
    huge = {"Content-Type": "text/plain", "Content-Length": str(10**12)}
    head = "".join(f"{name}: {value}\r\n" for name, value in huge.items())
    raw = f"{{}} {POST_PATH} HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nExpect: 100-continue\r\n{head}\r\n"
    assert b" 403 " in await first_line(bench, raw.format("PUT"))
    assert b" 415 " in await first_line(bench, raw.format("POST"))
    assert b" 413 " in await first_line(bench, raw.format("POST").replace("text/plain", PROTOBUF))


async def first_line(bench: Bench, raw: str) -> bytes:
    async with bench.connection() as (reader, writer):
        writer.write(raw.encode())
        return await reader.readline()


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v2/Model/m/segmentation/i/masks", "/ping//"])
async def test_an_unknown_path_is_a_404_of_the_same_shape(bench: Bench, path: str) -> None:
    answer = await bench.get(path)
    assert is_refusal(answer.status, answer.body, 404)


@pytest.mark.parametrize(
    "path", ["/PING", "/api/ping/", "/API/V2/credits/", "/api/v2/model", "/Api/v2/Model/"]
)
async def test_both_slashes_and_any_case_answer_directly(bench: Bench, path: str) -> None:
    answer = await bench.ask("GET", path, allow_redirects=False)
    assert answer.status == 200


async def test_job_ids_are_found_in_upper_case_and_without_dashes(bench: Bench) -> None:
    job = bench.core.job()
    for spelling in (job.id, job.id.upper(), job.id.replace("-", "")):
        assert (await bench.get(job_path(spelling))).status == 200


async def test_model_ids_stay_exact(bench: Bench) -> None:
    job = bench.core.job()
    answer = await bench.get(job_path(job.id, "centered orange square"))
    assert is_refusal(answer.status, answer.body, 400)


async def test_errors_speak_json_where_it_is_asked_for(bench: Bench) -> None:
    answer = await bench.get("/nothing", **JSON)
    told = json.loads(answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    assert told["ErrorMessage"] == "Invalid request."
    assert "(request id " in told["ExceptionDetails"]


async def test_the_client_s_request_id_goes_to_the_core_and_comes_back(bench: Bench) -> None:
    answer = await bench.get("/ping", **{"X-Request-Id": "velocity-1.a:7"})
    assert answer.headers["X-Request-Id"] == "velocity-1.a:7"
    assert bench.core.request_ids == ["velocity-1.a:7"]


@pytest.mark.parametrize("given", ["", "with space", "x" * 65, 'quote"', "ünicode"])
async def test_an_odd_request_id_is_replaced(bench: Bench, given: str) -> None:
    answer = await bench.get("/nothing", **{"X-Request-Id": given})
    own = answer.headers["X-Request-Id"]
    assert own != given
    assert f"(request id {own})" in answer.error.ExceptionDetails


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.x\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nNo colon here\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /ping HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n",
        b"POST /ping HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["words", "tls", "version", "header", "long header", "long path", "length", "smuggling"],
)
async def test_malformed_http_is_a_400_of_the_same_shape(bench: Bench, raw: bytes) -> None:
    head, _, body = (await bench.send_raw(raw)).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert b"X-Request-Id: " in head
    assert is_refusal(400, body, 400)


async def test_a_path_of_any_bytes_is_answered(bench: Bench) -> None:
    raw = b"GET /api/v2/Model/\xff%FF%00/segmentation/\xfe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert b" 400 " in (await bench.send_raw(raw)).splitlines()[0]


async def test_a_media_type_of_any_bytes_is_a_415(bench: Bench) -> None:
    raw = f"POST {POST_PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n".encode()
    answer = await bench.send_raw(raw + b"Content-Type: text/\xff\xb7\r\nContent-Length: 0\r\n\r\n")
    assert b" 415 " in answer.splitlines()[0]
    assert is_refusal(415, answer.partition(b"\r\n\r\n")[2], 415)


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, 401, "Invalid request."),
        (grpc.StatusCode.PERMISSION_DENIED, 403, "Invalid request."),
        (grpc.StatusCode.ALREADY_EXISTS, 409, "Invalid request."),
        (grpc.StatusCode.INTERNAL, 500, "Internal server error."),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 503, "The service is not available at present."),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504, "The service took too long to answer."),
    ],
)
async def test_whatever_the_core_says_has_the_same_shape(
    bench: Bench, code: grpc.StatusCode, status: int, message: str
) -> None:
    bench.core.failure = (code, "What was wrong.")
    for answer in (await bench.get("/ping"), await bench.post(scan())):
        assert answer.status == status
        assert answer.error.ErrorMessage == message
        assert answer.error.ExceptionDetails.startswith("What was wrong. (request id ")


async def test_an_error_within_the_gateway_is_a_500_without_its_text(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    job = bench.core.job()
    await job.succeed(b"\xff no message")
    answer = await bench.get(job_path(job.id, tail="/result"), **JSON)
    assert answer.status == 500
    told = json.loads(answer.body)
    assert told["ErrorMessage"] == "Internal server error."
    assert "DecodeError" not in told["ExceptionDetails"]
    assert "DecodeError" in caplog.text


@pytest.mark.parametrize("route", CASES)
async def test_answers_are_not_cached_and_not_guessed_at(bench: Bench, route: Route) -> None:
    answer = await bench.ask(route.method, path_of(route))
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "aiohttp" not in answer.headers["Server"]
