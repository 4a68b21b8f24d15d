"""Requests that try to be something else: paths, names, nesting, HTTP that can be read in two ways."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.acceptance.serving import Server
from tests.acceptance.velocity import PROTOBUF, Velocity, scan

JOB = "/api/v2/Model/Centered%20Orange%20Square/segmentation"
NESTING = 50_000


def raw(server: Server, request: bytes) -> bytes:
    """Everything that comes back for `request`, until the server ends the connection."""
    host, _, port = server.http.rpartition(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(request)
        pieces = []
        try:
            while piece := connection.recv(65536):
                pieces.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(pieces)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def get(server: Server, path: bytes) -> bytes:
    return raw(server, b"GET " + path + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    "path",
    [
        b"/../../etc/passwd",
        b"/ping/../metrics",
        b"/%2e%2e/metrics",
        b"//metrics",
        b"/./metrics",
        b"/metrics%00",
        b"/metrics;x",
        b"/metrics/.",
        b"/api/v2/Model/%2e%2e%2f%2e%2e%2fsegint.sqlite3",
        b"/api/v2/Model/..%2f..%2f/segmentation/..%2f..%2fsegint.sqlite3/result",
        JOB.encode() + b"/..%2F..%2F..%2Fsegint.sqlite3/result",
        JOB.encode() + b"/%2Fetc%2Fpasswd/result",
        JOB.encode() + b"/00000000-0000-0000-0000-000000000000%00.bin/result",
        JOB.encode() + b"/..\\..\\segint.sqlite3/result",
    ],
)
def test_a_path_leads_nowhere_but_to_its_route(server: Server, path: bytes) -> None:
    answer = get(server, path)
    assert status(answer) in (400, 404)
    assert b"SQLite format" not in answer
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "name", ["a%0d%0aX-Injected:%20yes", "a%00b", "%1b%5b31m", "%e2%80%ae", "%ff%fe", "%"]
)
def test_a_name_with_control_characters_makes_no_header_and_no_line(server: Server, name: str) -> None:
    answer = get(server, f"/api/v2/Model/{name}/segmentation/{name}".encode())
    assert status(answer) in (400, 404)
    head = answer.partition(b"\r\n\r\n")[0]
    assert b"injected" not in head.lower()
    for line in (server.home / "logs" / "gateway.log").read_text().splitlines():
        json.loads(line)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\nhello",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nX: a\r\n folded\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nX : a\r\n\r\n",
        b"GET /ping HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET /ping\x00 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /ping HTTP/9.9\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03",
    ],
)
def test_http_that_can_be_read_in_two_ways_is_refused(server: Server, request_: bytes) -> None:
    answer = raw(server, request_)
    assert answer == b"" or status(answer) in (400, 404)
    assert answer.count(b"\r\nServer: segint\r\n") <= 1, "one request has one answer"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("groups", b"\x7b" * NESTING),
        ("groups that end", b"\x7b" * NESTING + b"\x7c" * NESTING),
        ("channels", b"\x12\x80\x80\x40" * NESTING),
    ],
)
def test_nesting_is_refused_and_the_server_goes_on(velocity: Velocity, kind: str, body: bytes) -> None:
    assert velocity.post(body).status == 400
    for path in ("/api/v2/Feedback/segmentation", "/api/v2/Telemetry/segmentation"):
        assert velocity.call("POST", path, body[:60_000]).status == 400
    assert velocity.call("GET", "/healthz").status == 200


def test_control_characters_in_a_scan_make_no_line_in_the_logs(server: Server, velocity: Velocity) -> None:
    message = scan()
    message.ClientInformation.SoftwareVersion = "4.1\r\nERROR forged \x1b[31m"
    message.Channels.add(ChannelID="1\r\nforged", VolumeID="patient\nQuillfeather")
    assert velocity.post(message).status in (200, 400)
    for path in (server.home / "logs").glob("*.log"):
        for line in path.read_text().splitlines():
            assert not line.startswith(("forged", "ERROR forged"))
            assert "Quillfeather" not in line


def test_the_media_type_of_a_post_is_what_it_says(velocity: Velocity) -> None:
    answer = velocity.call("POST", JOB, b"{}", content_type=f"{PROTOBUF}\t; x")
    assert answer.status in (400, 415)


def test_no_file_of_the_home_is_open_to_others(server: Server) -> None:
    def open_paths(path: Path) -> list[Path]:
        return [found for found in path.rglob("*") if not found.is_symlink() and found.stat().st_mode & 0o077]

    assert server.home.stat().st_mode & 0o077 == 0
    assert [path for path in open_paths(server.home) if not path.is_dir()] == []
