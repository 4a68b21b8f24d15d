"""The gateway's port with TLS: who is let in, what is said there, and certificates that change meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from generated.radiomics import Model_pb2
from http_gateway.entrance import Entrance
from http_gateway.exchange import Exchange
from http_gateway.refusals import Refusal
from http_gateway.routes import ROUTES
from http_gateway.routing import Route
from segint_grpc import errors
from segint_grpc.networks import parse_address
from segint_grpc.settings import Settings
from tests.certificates import NAMES, Certificates
from tests.fakes.gateway import (
    AS_PROTOBUF,
    POST_PATH,
    PROTOBUF,
    Bench,
    gateway_bench,
    in_pieces,
    job_path,
    scan,
)

SECURE = {"https": "127.0.0.1:0"}


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls")


@pytest_asyncio.fixture
async def bench(made: Certificates) -> AsyncIterator[Bench]:
    async with gateway_bench(**SECURE, **made.settings) as bench:
        yield bench


async def get(bench: Bench, path: str, context: ssl.SSLContext) -> tuple[int, bytes]:
    """Ask on a connection of its own."""
    connector = aiohttp.TCPConnector(ssl=context, force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://{bench.secure_address}{path}", headers={"Accept": PROTOBUF}) as response,
    ):
        return response.status, await response.read()


async def shown(bench: Bench, context: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection is shown."""
    host, _, port = bench.secure_address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    try:
        found: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return found.getpeercert(binary_form=True)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_both_ports_answer_alike(bench: Bench, made: Certificates) -> None:
    status, body = await get(bench, "/ping", made.context())
    assert (status, body) == (200, (await bench.get("/ping", Accept=PROTOBUF)).body)


async def test_a_scan_goes_in_and_its_result_comes_back_with_tls(bench: Bench, made: Certificates) -> None:
    connector = aiohttp.TCPConnector(ssl=made.context())
    async with aiohttp.ClientSession(f"https://{bench.secure_address}", connector=connector) as session:
        path = "/api/v2/Model/Centered%20Orange%20Square/segmentation"
        body = in_pieces(scan(3_000_000))
        async with session.post(path, data=body, headers={**AS_PROTOBUF, "Accept": PROTOBUF}) as answer:
            task = Model_pb2.SegmentationTask.FromString(await answer.read())
        await bench.core.jobs[task.SegmentationID].succeed(b"x" * 2_000_000)
        path = job_path(task.SegmentationID, tail="/result")
        async with session.get(path, headers={"Accept": PROTOBUF}) as answer:
            assert await answer.read() == b"x" * 2_000_000


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_vendor_status_names_the_scheme_in_use(bench: Bench, made: Certificates, scheme: str) -> None:
    if scheme == "http":
        body, address = (await bench.get("/api/v2/VendorStatus", Accept=PROTOBUF)).body, bench.address
    else:
        _, body = await get(bench, "/api/v2/VendorStatus", made.context())
        address = bench.secure_address
    assert f"{scheme}://{address}/api/v2/".encode() in body


async def test_plain_http_on_the_port_with_tls_gets_no_http_answer(bench: Bench) -> None:
    host, _, port = bench.secure_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
    assert b"HTTP" not in await reader.read()
    writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_what_is_older_than_tls_1_2_is_refused(
    bench: Bench, made: Certificates, version: ssl.TLSVersion
) -> None:
    context = made.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = context.maximum_version = version
    with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
        await get(bench, "/ping", context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_1_2_and_1_3_are_spoken(bench: Bench, made: Certificates, version: ssl.TLSVersion) -> None:
    context = made.context()
    context.minimum_version = context.maximum_version = version
    assert (await get(bench, "/ping", context))[0] == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_without_the_certificate_that_is_asked_for_gets_nothing(
    made: Certificates, tmp_path: Path, version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    other = Certificates(tmp_path / "other")
    stranger = other.context("stranger")
    stranger.load_verify_locations(made.authority)
    async with gateway_bench(**SECURE, **made.settings_with_clients) as bench:
        for context in (made.context(), stranger):
            context.minimum_version = context.maximum_version = version
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await get(bench, "/healthz", context)
        assert (await get(bench, "/healthz", made.context("anna")))[0] == 200
    reasons = [record.getMessage() for record in caplog.records if record.name == "http_gateway.doorstep"]
    assert list(dict.fromkeys(reasons)) == [
        "no TLS: peer did not return a certificate",
        "no TLS: certificate verify failed",
    ]


async def test_a_servers_certificate_is_none_for_a_client(made: Certificates) -> None:
    context = made.context()
    context.load_cert_chain(made.server, made.server_key)
    async with gateway_bench(**SECURE, **made.settings_with_clients) as bench:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await get(bench, "/ping", context)


async def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    bench: Bench, made: Certificates
) -> None:
    connector = aiohttp.TCPConnector(ssl=made.context(), limit=1)
    async with aiohttp.ClientSession(f"https://{bench.secure_address}", connector=connector) as session:
        job = bench.core.job()
        async with session.get(job_path(job.id, tail="/events")) as events:
            await events.content.readuntil(b"\n\n")
            before = await shown(bench, made.context())
            made.renew(NAMES)
            after = await shown(bench, made.context())
            assert before != after == ssl.PEM_cert_to_DER_cert(made.server.read_text())
            await job.succeed(b"x")
            assert b"event: end" in await events.read()


async def test_a_broken_certificate_keeps_the_old_one_and_is_told(
    bench: Bench, made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    before = await shown(bench, made.context())
    made.server.write_text("half a fi")
    assert await shown(bench, made.context()) == before
    assert "the one before it stays: tls_certificate" in caplog.text


async def test_a_key_that_openssl_will_not_have_keeps_the_old_one_and_is_told(
    bench: Bench, made: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    before = await shown(bench, made.context())
    weak = rsa.generate_private_key(65537, 1024)
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(weak.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=100))
    made.server_key.write_bytes(weak.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made.server.write_bytes(builder.sign(weak, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert await shown(bench, made.context()) == before
    assert "the one before it stays: The certificate cannot be used for TLS (EE_KEY_TOO_SMALL)" in caplog.text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    bench: Bench, made: Certificates, version: ssl.TLSVersion
) -> None:
    body = scan(400_000)
    request = (
        f"POST {POST_PATH} HTTP/1.1\r\nHost: h\r\nAccept: {PROTOBUF}\r\nContent-Type: {PROTOBUF}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    context = made.context()
    context.minimum_version = context.maximum_version = version
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(coming, going, server_hostname="localhost")
    host, _, port = bench.secure_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            writer.write(going.read())
            coming.write(await asyncio.wait_for(reader.read(65536), 10))
    tls.write(request + body)
    writer.write(going.read())  # in one piece with what ends the handshake, where TLS lets the client end it
    answer = b""
    while b"\r\n" not in answer:
        coming.write(await asyncio.wait_for(reader.read(65536), 10))
        with contextlib.suppress(ssl.SSLWantReadError):
            answer += tls.read(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    writer.close()
    assert [job.body_sha256 for job in bench.core.jobs.values()] == [hashlib.sha256(body).hexdigest()]


async def test_a_changed_client_authority_shuts_the_old_ones_clients_out(
    made: Certificates, tmp_path: Path
) -> None:
    other = Certificates(tmp_path / "other")
    newcomer = other.context("ben")
    newcomer.load_verify_locations(made.authority)
    asked = shutil.copy(made.authority, tmp_path / "asked.pem")
    async with gateway_bench(**SECURE, **made.settings, tls_client_ca=str(asked)) as bench:
        assert (await get(bench, "/ping", made.context("anna")))[0] == 200
        shutil.copy(other.authority, asked)
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await get(bench, "/ping", made.context("anna"))
        assert (await get(bench, "/ping", newcomer))[0] == 200


async def test_no_answer_is_lost_while_certificates_change_under_traffic(
    bench: Bench, made: Certificates
) -> None:
    async def ask(times: int) -> list[int]:
        return [(await get(bench, "/ping", made.context()))[0] for _ in range(times)]

    asking = [asyncio.create_task(ask(20)) for _ in range(4)]
    for _ in range(10):
        await asyncio.to_thread(made.renew, NAMES)
    assert {status for statuses in await asyncio.gather(*asking) for status in statuses} == {200}


async def test_plain_http_can_be_switched_off(made: Certificates) -> None:
    async with gateway_bench(http="", **SECURE, **made.settings) as bench:
        assert bench.address == ""
        assert (await get(bench, "/ping", made.context()))[0] == 200


async def test_a_gateway_that_nobody_could_reach_is_refused() -> None:
    with pytest.raises(errors.InvalidSetting, match="http and https are both empty"):
        async with gateway_bench(http=""):
            pass


async def test_a_certificate_that_is_of_no_use_is_refused_at_the_start(made: Certificates) -> None:
    made.server_key.chmod(0o644)
    with pytest.raises(errors.InvalidSetting, match="chmod 600"):
        async with gateway_bench(**SECURE, **made.settings):
            pass


async def test_listening_with_tls_beyond_this_machine_asks_for_networks_too(made: Certificates) -> None:
    with pytest.raises(errors.StartRefused, match=r"0\.0\.0\.0"):
        async with gateway_bench(https="0.0.0.0:0", **made.settings):
            pass


async def test_a_handshake_that_does_not_come_ends_in_time(made: Certificates) -> None:
    async with gateway_bench(**SECURE, **made.settings, header_timeout_s=0.2) as bench:
        host, _, port = bench.secure_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_figures_are_told_with_tls_on_this_machine(bench: Bench, made: Certificates) -> None:
    status, body = await get(bench, "/metrics", made.context())
    assert status == 200
    assert b"segint_http_connections" in body
    (line,) = (line for line in body.splitlines() if line.startswith(b"segint_tls_certificate_end_seconds "))
    assert 700 < (float(line.split()[1]) - time.time()) / 86_400 < 731


@dataclass(frozen=True)
class From:
    """Where a request comes from, as aiohttp tells it."""

    remote: str
    secure: bool = False


async def admitted(route: Route, request: From) -> int:
    """The status with which a gateway that lets one network in refuses; 200 where it does not."""
    settings = Settings(allow=("10.1.2.0/24",), metrics_allow=("10.1.2.0/24",))
    exchange = Exchange(
        request=cast(Any, request),
        services=cast(Any, None),
        request_id="",
        protobuf=False,
        peer=parse_address("10.1.2.3"),
    )
    try:
        await Entrance(settings).admit(exchange, route)
    except Refusal as refusal:
        return refusal.status
    return 200


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_beyond_this_machine_plain_http_is_for_velocitys_routes_alone(route: Route) -> None:
    for_velocity = route.path.startswith("/api/") or route.path == "/ping"
    assert await admitted(route, From("10.1.2.3")) == (200 if for_velocity else 403)
    assert await admitted(route, From("10.1.2.3", secure=True)) == 200
    assert await admitted(route, From("127.0.0.1")) == 200  # a proxy here


async def test_a_network_that_is_none_is_refused_at_the_start() -> None:
    with pytest.raises(errors.InvalidSetting, match="metrics_allow: 'here' is no network"):
        async with gateway_bench(metrics_allow=("here",)):
            pass
