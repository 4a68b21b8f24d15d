"""TLS as other programs see it: openssl, buf, a gateway on another host, and the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.serving import SEGINT, STOP_TIMEOUT_S, Server, run_segint, serving
from tests.acceptance.velocity import SAMPLE, Velocity, channel, scan
from tests.buf import BUF, ROOT, needs_buf

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl, which is to look at the ports from outside, is missing"
)
FREE = "127.0.0.1:0"
SLOW, IDLE = 50, 200


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `segint certs init` makes, with a client's and a gateway's certificate."""
    home = tmp_path_factory.mktemp("authority") / "home"
    run_segint("certs", "init", home=home)
    run_segint("certs", "client", "anna", home=home)
    run_segint("certs", "client", "front", "--gateway", home=home)
    return home / "tls"


@pytest.fixture(scope="module")
def secured(tls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with TLS that lets in whoever knows it."""
    files = {"tls_certificate": tls / "server.pem", "tls_key": tls / "server.key"}
    with serving(tmp_path_factory.mktemp("secured") / "home", https=FREE, **files) as server:
        yield server


@pytest.fixture(scope="module")
def closed(tls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks every client with TLS for a certificate."""
    files = {
        "tls_certificate": tls / "server.pem",
        "tls_key": tls / "server.key",
        "tls_client_ca": tls / "authority.pem",
    }
    with serving(tmp_path_factory.mktemp("closed") / "home", https=FREE, **files) as server:
        yield server


def s_client(address: str, *arguments: str | Path, request: str = "") -> subprocess.CompletedProcess[str]:
    """What `openssl s_client` says of a port, and gets as an answer to `request`."""
    return subprocess.run(
        ["openssl", "s_client", "-connect", address, "-servername", "localhost", *arguments],
        input=request,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


PING = "GET /ping HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
ANSWER = "HTTP/1.1 200 OK"


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("port", ["https", "grpc"])
def test_openssl_trusts_the_certificate_of_both_ports(
    secured: Server, tls: Path, port: str, version: str
) -> None:
    done = s_client(getattr(secured, port), version, "-CAfile", tls / "authority.pem", "-brief")
    assert "Verification: OK" in done.stderr
    assert "ecdsa_secp256r1_sha256" in done.stderr or "ECDSA" in done.stderr


@needs_openssl
def test_openssl_gets_an_http_answer(secured: Server, tls: Path) -> None:
    done = s_client(secured.https, "-CAfile", tls / "authority.pem", "-quiet", request=PING)
    assert ANSWER in done.stdout
    assert done.stdout.endswith("}"), "the body is there too"


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
@pytest.mark.parametrize("port", ["https", "grpc"])
def test_openssl_is_refused_what_is_older_than_tls_1_2(secured: Server, port: str, version: str) -> None:
    done = s_client(getattr(secured, port), version, "-cipher", "ALL:@SECLEVEL=0")
    assert done.returncode != 0
    assert "no protocols available" not in done.stderr, "openssl did not even try"
    assert "Cipher is (NONE)" in done.stdout


@needs_openssl
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_without_the_certificate_that_is_asked_for_gets_nothing(
    closed: Server, tls: Path, version: str
) -> None:
    known = (version, "-CAfile", tls / "authority.pem", "-quiet")
    for path in ("/ping", "/healthz", "/metrics", "/openapi.json"):
        done = s_client(closed.https, *known, request=PING.replace("/ping", path))
        assert done.stdout == ""
    shown = ("-cert", tls / "clients" / "anna.pem", "-key", tls / "clients" / "anna.key")
    assert ANSWER in s_client(closed.https, *known, *shown, request=PING).stdout


def buf_curl(server: Server, method: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUF, "curl", "--protocol", "grpc", *arguments, f"https://{server.grpc}/{method}"],
        cwd=ROOT,
        env={**os.environ, "BUF_CACHE_DIR": str(ROOT / "build" / "buf" / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_buf
def test_buf_lists_the_models_over_tls(secured: Server, tls: Path) -> None:
    done = buf_curl(secured, "segint.v1.Segmentation/ListModels", "--cacert", tls / "authority.pem")
    assert done.returncode == 0, done.stderr
    assert SAMPLE in json.dumps(json.loads(done.stdout))


@needs_buf
def test_buf_does_not_trust_an_authority_that_it_was_not_given(secured: Server) -> None:
    done = buf_curl(secured, "segint.v1.Segmentation/ListModels", "--schema", "protos")
    assert done.returncode != 0
    assert "certificate signed by unknown authority" in done.stderr


@needs_buf
def test_buf_without_the_certificate_that_is_asked_for_gets_nothing(closed: Server, tls: Path) -> None:
    known = ("--cacert", tls / "authority.pem")
    done = buf_curl(closed, "grpc.health.v1.Health/Check", *known, "--schema", ROOT / "protos")
    assert done.returncode != 0
    assert SAMPLE not in done.stdout
    shown = ("--cert", tls / "clients" / "anna.pem", "--key", tls / "clients" / "anna.key")
    done = buf_curl(closed, "segint.v1.Segmentation/ListModels", *known, *shown)
    assert done.returncode == 0, done.stderr


@contextmanager
def gateway_elsewhere(core: Server, tls: Path, client: str, home: Path) -> Iterator[str]:
    """A gateway that reaches `core` over TCP, as one on another machine would; gives its address."""
    reading, writing = os.pipe()
    environment = {
        "SEGINT_HOME": str(home),
        "SEGINT_HTTP": FREE,
        "SEGINT_CORE": core.grpc,
        "SEGINT_CORE_CA": str(tls / "authority.pem"),
        "SEGINT_CORE_CERTIFICATE": str(tls / "clients" / f"{client}.pem"),
        "SEGINT_CORE_KEY": str(tls / "clients" / f"{client}.key"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "http_gateway", "--ready-fd", str(writing)],
        cwd=ROOT,
        env={**os.environ, **environment},
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as ready:
            yield json.loads(ready.readline())["http"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)


def small_scan() -> bytes:
    return scan(channel(np.zeros((4, 16, 16), np.int16))).SerializeToString()


def test_a_gateway_on_another_host_serves_velocity_by_its_certificate(
    closed: Server, tls: Path, home: Path
) -> None:
    with gateway_elsewhere(closed, tls, "front", home) as address:
        assert len(Velocity(f"http://{address}").segment(small_scan()).Channels) > 0


def test_the_command_line_knows_the_server_by_its_authority(
    secured: Server, tls: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"https://{secured.https}"
    listed = run_segint("models", "--server", url, "--ca", str(tls / "authority.pem"), home=home)
    assert SAMPLE in listed
    monkeypatch.setenv("SEGINT_CA", str(tls / "authority.pem"))
    assert run_segint("models", "--server", url, home=home) == listed


def test_the_command_line_trusts_no_server_that_it_does_not_know(secured: Server) -> None:
    done = subprocess.run(
        [SEGINT, "models", "--server", f"https://{secured.https}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert done.stdout == ""
    assert "--ca FILE or SEGINT_CA" in done.stderr


def test_the_command_line_shows_its_certificate(closed: Server, tls: Path, home: Path) -> None:
    anna = tls / "clients" / "anna"
    shown = ("--certificate", f"{anna}.pem", "--key", f"{anna}.key", "--ca", str(tls / "authority.pem"))
    assert SAMPLE in run_segint("models", "--server", f"https://{closed.https}", *shown, home=home)


def test_a_certificate_is_renewed_under_traffic_without_a_restart(tls: Path, tmp_path: Path) -> None:
    own = tmp_path / "tls"
    shutil.copytree(tls, own)
    files = {"tls_certificate": own / "server.pem", "tls_key": own / "server.key"}
    with serving(tmp_path / "home", https=FREE, **files) as server:
        host, _, port = server.https.rpartition(":")
        context = ssl.create_default_context(cafile=str(own / "authority.pem"))
        velocity = Velocity(server.url)
        job = velocity.submit(small_scan())
        with (
            socket.create_connection((host, int(port))) as bare,
            context.wrap_socket(bare, server_hostname="localhost") as old,
        ):
            before = ssl.get_server_certificate((host, int(port)), ca_certs=str(own / "authority.pem"))
            run_segint("certs", "renew", "--out", str(own), home=server.home)
            after = ssl.get_server_certificate((host, int(port)), ca_certs=str(own / "authority.pem"))
            assert before != after == (own / "server.pem").read_text()
            old.sendall(PING.encode())
            assert old.recv(100).startswith(ANSWER.encode())
        assert velocity.wait(job).Progress == 100


@pytest.mark.parametrize(
    ("mend", "words"),
    [
        (lambda files: files.pop("tls_key"), "tls_certificate and tls_key are of use together"),
        (lambda files: files.update(tls_key="/nowhere.key"), "tls_key: there is no file /nowhere.key"),
        (lambda files: files.update(http="", https=""), "http and https are both empty"),
    ],
)
def test_a_server_that_cannot_be_secured_does_not_start(
    tls: Path, home: Path, mend: object, words: str
) -> None:
    files: dict[str, object] = {
        "http": FREE,
        "grpc": FREE,
        "https": FREE,
        "tls_certificate": tls / "server.pem",
        "tls_key": tls / "server.key",
    }
    mend(files)  # type: ignore[operator]
    environment = {f"SEGINT_{name.upper()}": str(value) for name, value in files.items()}
    done = subprocess.run(
        [SEGINT, "serve", "--home", str(home)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert words in done.stderr


def test_50_slow_bodies_and_200_idle_connections_keep_no_client_from_its_result(
    secured: Server,
) -> None:
    host, _, port = secured.http.rpartition(":")
    head = (
        f"POST /api/v2/Model/{SAMPLE.replace(' ', '%20')}/segmentation HTTP/1.1\r\nHost: h\r\n"
        "Content-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(SLOW + IDLE)]
        for slow in crowd[:SLOW]:
            slow.sendall(head + b"\x12")
        velocity = Velocity(secured.url)
        job = velocity.submit(small_scan())
        for slow in crowd[:SLOW]:
            slow.sendall(b"\x00")
        assert velocity.wait(job, timeout_s=60).Progress == 100
        assert len(velocity.result(job).Channels) > 0
