from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.serve import addresses
from segint_grpc.serve.addresses import Endpoint, Interface, check_listening, parse_endpoint, reachable
from segint_grpc.settings import Settings, load

KNOWN = [Interface("eth0", "10.1.2.3", "10.1.2.0/24"), Interface("eth0", "2001:db8::3", "2001:db8::/64")]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8000", Endpoint("127.0.0.1", 8000)),
        ("localhost:0", Endpoint("localhost", 0)),
        ("[::1]:8000", Endpoint("::1", 8000)),
    ],
)
def test_an_endpoint_is_read_and_written(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text, "http") == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize("text", ["", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "host:port", "host:65536"])
def test_what_is_no_endpoint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(errors.InvalidSetting, match=r"http must be HOST:PORT, such as 127\.0\.0\.1:8000"):
        parse_endpoint(text, "http")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_this_machine_alone(host: str) -> None:
    assert Endpoint(host, 8000).loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3"])
def test_every_other_address_is_not(host: str) -> None:
    assert not Endpoint(host, 8000).loopback


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(errors.InvalidSetting, match="is no address of this machine"):
        Endpoint("nowhere.invalid", 8000).resolved()


@pytest.mark.parametrize("door", ["http", "https", "grpc"])
def test_listening_beyond_loopback_needs_networks(door: str, tmp_path: Path) -> None:
    given = {"home": str(tmp_path), "http": "127.0.0.1:0", "grpc": "127.0.0.1:0", door: "0.0.0.0:0"}
    with pytest.raises(
        errors.StartRefused, match=rf"{door} 0\.0\.0\.0:0 would let every machine.*--allow \d"
    ):
        check_listening(load(given, {}))
    check_listening(load(given | {"allow": "10.1.2.0/24"}, {}))


def test_something_that_is_no_network_is_refused() -> None:
    with pytest.raises(errors.InvalidSetting, match=r"such as 10\.1\.2\.0/24, not 'radiotherapy'"):
        check_listening(Settings(allow=("radiotherapy",)))


def test_a_port_in_use_is_refused_with_another(taken: int) -> None:
    with pytest.raises(errors.StartRefused, match=f"--http 127.0.0.1:{taken + 1}"):
        check_listening(Settings(http=f"127.0.0.1:{taken}", grpc="127.0.0.1:0"))


def test_the_port_for_tls_is_looked_at_like_the_others(taken: int) -> None:
    settings = Settings(http="", https=f"127.0.0.1:{taken}", grpc="127.0.0.1:0")
    with pytest.raises(errors.StartRefused, match=rf"in use.*--https 127\.0\.0\.1:{taken + 1}"):
        check_listening(settings)


def test_an_address_of_another_machine_is_refused() -> None:
    settings = Settings(http="192.0.2.1:8000", grpc="127.0.0.1:0", allow=("192.0.2.0/24",))
    with pytest.raises(errors.StartRefused, match="is it an address of this machine"):
        check_listening(settings)


def test_everywhere_is_reached_by_each_interface_of_its_kind() -> None:
    assert reachable(Endpoint("0.0.0.0", 8000), KNOWN) == [("eth0", Endpoint("10.1.2.3", 8000))]
    assert len(reachable(Endpoint("::", 8000), KNOWN)) == 2


def test_one_address_is_reached_by_itself() -> None:
    assert reachable(Endpoint("10.1.2.3", 8000), KNOWN) == [("eth0", Endpoint("10.1.2.3", 8000))]
    assert reachable(Endpoint("10.9.9.9", 8000), KNOWN) == [("", Endpoint("10.9.9.9", 8000))]


def test_this_machines_interfaces_are_read_without_asking_anybody() -> None:
    assert all(not Endpoint(interface.address, 0).loopback for interface in addresses.interfaces())
