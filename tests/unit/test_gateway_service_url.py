from __future__ import annotations

import socket

import psutil
import pytest

from http_gateway.service_url import Machine, check_public_url
from segint_grpc import errors


def test_the_machine_knows_its_names_and_addresses() -> None:
    machine = Machine()
    own = [entry.address for entry in psutil.net_if_addrs().get("lo", []) if entry.family == socket.AF_INET]
    for host in ("localhost", "LOCALHOST.", "127.0.0.1", "[::1]", socket.gethostname(), *own):
        assert machine.is_called(host)


@pytest.mark.parametrize(
    "host", ["example.com", "203.0.113.77", "", "localhost.example.com", "[2001:db8::1]"]
)
def test_other_hosts_are_not_this_machine(host: str) -> None:
    assert not Machine().is_called(host)


def test_the_interfaces_are_read_once_a_minute() -> None:
    now_s = [0.0]
    reads = []

    def clock() -> float:
        reads.append(now_s[0])
        return now_s[0]

    machine = Machine(clock)
    machine.is_called("localhost")
    machine.is_called("localhost")
    assert len(reads) == 3  # one look at the clock for each question, one for the reading
    now_s[0] = 61.0
    machine.is_called("localhost")
    assert len(reads) == 5


@pytest.mark.parametrize(
    "url", ["", "http://segint:8000", "https://h.example/seg/", "HTTP://[::1]:80/api/v2/"]
)
def test_a_public_url_is_http_or_https(url: str) -> None:
    check_public_url(url)


@pytest.mark.parametrize("url", ["segint:8000", "ftp://segint", "http://", "http://h/?q=1", "http://a b"])
def test_any_other_public_url_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(errors.InvalidSetting, match="public_url"):
        check_public_url(url)
