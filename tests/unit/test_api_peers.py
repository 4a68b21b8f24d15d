from __future__ import annotations

from ipaddress import ip_address

import pytest

from segint_grpc import errors
from segint_grpc.api import peers


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:50000", "10.1.2.3"),
        ("ipv6:[::1]:50000", "::1"),
        ("ipv6:%5B2001:db8::7%5D:50000", "2001:db8::7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:50000", "fe80::1%eth0"),
        ("ipv6:%5B::ffff:10.1.2.3%5D:50000", "10.1.2.3"),
    ],
)
def test_the_address_of_a_network_peer_is_read(peer: str, address: str) -> None:
    assert peers.address_of(peer) == ip_address(address)


def test_a_peer_on_the_unix_socket_has_no_address() -> None:
    assert peers.address_of("unix:") is None


@pytest.mark.parametrize("peer", ["", "ipv4:", "vsock:3:4", "ipv4:example.org:1"])
def test_a_peer_of_unknown_form_is_forbidden(peer: str) -> None:
    with pytest.raises(errors.Forbidden):
        peers.check_allowed(peer, ())


@pytest.mark.parametrize(
    "peer", ["ipv4:10.1.2.3:5", "ipv6:%5B::ffff:10.1.2.3%5D:5", "ipv4:127.0.0.1:5", "unix:"]
)
def test_listed_networks_this_machine_and_the_unix_socket_may_call(peer: str) -> None:
    peers.check_allowed(peer, peers.parse_networks(["10.1.0.0/16", "2001:db8::/32"]))


@pytest.mark.parametrize("peer", ["ipv4:10.2.2.3:5", "ipv6:%5B2001:db9::1%5D:5"])
def test_an_address_outside_the_listed_networks_is_named_in_the_refusal(peer: str) -> None:
    with pytest.raises(errors.Forbidden, match=str(peers.address_of(peer))):
        peers.check_allowed(peer, peers.parse_networks(["10.1.0.0/16", "2001:db8::/32"]))


def test_an_address_with_host_bits_names_its_network() -> None:
    assert str(peers.parse_networks(["192.168.10.7/24"])[0]) == "192.168.10.0/24"


def test_a_text_that_is_no_network_is_refused_with_an_example() -> None:
    with pytest.raises(errors.InvalidSetting, match=r"'hospital' is no network.*192\.168\.10\.0/24"):
        peers.parse_networks(["10.0.0.0/8", "hospital"])
