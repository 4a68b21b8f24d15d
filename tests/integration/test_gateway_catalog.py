"""What the server tells of itself, opinions, and the routes for operation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from generated.radiomics import Model_pb2
from http_gateway.routes import ROUTES
from tests.fakes.gateway import JSON, PROTOBUF, Bench, gateway_bench, in_pieces, scan

OPINIONS = {
    "/api/v2/Feedback/segmentation": Model_pb2.SegmentationFeedback(
        SegmentationID="long gone", GeneralComments="Mrs. X"
    ),
    "/api/v2/Telemetry/segmentation": Model_pb2.SegmentationTelemetry(
        SegmentationID="gone", NumberOfRetries=2
    ),
}


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    async with gateway_bench() as bench:
        yield bench


@pytest.mark.parametrize("path", ["/ping", "/api/ping"])
async def test_ping_tells_the_version(bench: Bench, path: str) -> None:
    assert Model_pb2.ApiInformation.FromString((await bench.get(path)).body).Version == "v2"


async def test_credits_are_passed_on(bench: Bench) -> None:
    credit = Model_pb2.Credits.FromString((await bench.get("/api/v2/Credits")).body)
    assert (credit.TotalCredits, credit.DisplayCreditsWarning, credit.LanguageCode) == (100000, True, "en")


async def test_the_models_are_passed_on_as_the_core_orders_them(bench: Bench) -> None:
    bench.core.families.append(Model_pb2.ModelFamily(CanonicalName="second"))
    models = Model_pb2.ModelsCollection.FromString((await bench.get("/api/v2/Model/")).body)
    assert list(models.Models) == bench.core.families


async def service_url(bench: Bench, host: str) -> str:
    lines = ["GET /api/v2/VendorStatus HTTP/1.1", "Connection: close", f"Host: {host}"]
    answer = await bench.send_raw(("\r\n".join(lines) + "\r\n\r\n").encode())
    status = Model_pb2.VendorStatus.FromString(answer.partition(b"\r\n\r\n")[2])
    assert status.SegmentationServiceStatus == Model_pb2.VendorStatus.Available
    return status.SegmentationServiceUrl


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost:1234", "http://localhost:1234/api/v2/"),
        ("LOCALHOST:1234", "http://LOCALHOST:1234/api/v2/"),
        ("127.0.0.1", "http://127.0.0.1:80/api/v2/"),
        ("[::1]:8000", "http://[::1]:8000/api/v2/"),
    ],
)
async def test_vendor_status_names_the_host_that_the_client_asked_for(
    bench: Bench, host: str, url: str
) -> None:
    assert await service_url(bench, host) == url


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "localhost:99999", "a b", "localhost@evil.example", ""]
)
async def test_vendor_status_never_repeats_a_foreign_host(bench: Bench, host: str) -> None:
    assert await service_url(bench, host) == f"http://{bench.address}/api/v2/"


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("https://seg.example", "https://seg.example/api/v2/"),
        ("https://seg.example/segint/", "https://seg.example/segint/api/v2/"),
        ("http://seg.example:8080/api/v2/", "http://seg.example:8080/api/v2/"),
    ],
)
async def test_vendor_status_prefers_the_public_url(public_url: str, url: str) -> None:
    async with gateway_bench(public_url=public_url) as bench:
        assert await service_url(bench, "localhost:8000") == url


@pytest.mark.parametrize("path", OPINIONS)
@pytest.mark.parametrize("accept", [{}, JSON, {"Accept": PROTOBUF}])
async def test_an_opinion_is_kept_and_answered_with_plain_text_for_every_accept(
    bench: Bench, path: str, accept: dict[str, str]
) -> None:
    answer = await bench.post(OPINIONS[path].SerializeToString(), path, **accept)
    assert (answer.status, answer.body) == (200, b"POST successful.")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert bench.core.opinions == [OPINIONS[path]]


@pytest.mark.parametrize("path", OPINIONS)
async def test_an_opinion_that_cannot_be_parsed_is_a_400(bench: Bench, path: str) -> None:
    answer = await bench.post(b"\xff\xff", path)
    assert answer.status == 400
    assert answer.error.ErrorMessage == "Invalid request."
    assert bench.core.opinions == []


@pytest.mark.parametrize("path", OPINIONS)
async def test_an_opinion_beyond_a_mebibyte_is_a_413(bench: Bench, path: str) -> None:
    answer = await bench.post(in_pieces(bytes(1024 * 1024 + 1)), path)
    assert answer.status == 413


async def test_healthz_answers_as_long_as_the_process_does(bench: Bench) -> None:
    assert (await bench.get("/healthz")).status == 200


async def test_readyz_follows_what_the_core_says_of_its_workers(bench: Bench) -> None:
    assert (await bench.get("/readyz")).status == 200
    await bench.core.set_ready(False)
    answer = await bench.get("/readyz")
    assert answer.status == 503
    assert "no worker" in answer.error.ExceptionDetails
    assert int(answer.headers["Retry-After"]) > 0
    await bench.core.set_ready(True)
    assert (await bench.get("/readyz")).status == 200


async def test_metrics_hold_the_gateway_s_and_the_core_s_figures(bench: Bench) -> None:
    body = scan()
    assert (await bench.post(body)).status == 200
    await bench.get("/nothing/patient-4711")
    text = (await bench.get("/metrics")).body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {(s.name, s.labels.get("route", s.labels.get("model"))): s.value for s in samples}
    assert values["segint_http_requests_total", "/api/v2/Model/{model}/segmentation"] == 1
    assert values["segint_http_requests_total", "unknown"] == 1
    assert values["segint_http_received_bytes_total", None] == len(body)
    assert values["segint_jobs", "Centered Orange Square"] == 3
    assert values["segint_queue_length", None] == 2
    assert values["segint_core_up", None] == 1
    assert "patient" not in text


async def test_openapi_json_describes_every_route(bench: Bench) -> None:
    document = json.loads((await bench.get("/openapi.json")).body)
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.path) for route in ROUTES}


def outer_address() -> str | None:
    addresses = (entry.address for entries in psutil.net_if_addrs().values() for entry in entries)
    return next((text for text in addresses if text.count(".") == 3 and not text.startswith("127.")), None)


async def test_a_peer_outside_the_allowed_networks_is_refused_before_anything_else() -> None:
    outer = outer_address()
    if outer is None:
        pytest.skip("this machine has no address beyond loopback")
    async with gateway_bench(http=f"{outer}:0", allow=("198.51.100.0/24",)) as bench:
        answer = await bench.ask("PUT", "/nothing")
        assert (answer.status, "Allow" in answer.headers) == (403, False)
        assert outer in answer.error.ExceptionDetails
    async with gateway_bench(http=f"{outer}:0", allow=("198.51.100.0/24", f"{outer}/32")) as bench:
        assert (await bench.get("/ping")).status == 200


async def test_programs_on_this_machine_are_always_let_in() -> None:
    async with gateway_bench(http="0.0.0.0:0", allow=("198.51.100.0/24",)) as bench:
        assert (await bench.get("/ping")).status == 200
