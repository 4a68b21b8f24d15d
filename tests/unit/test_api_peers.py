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
        ("ipv6:%5Bfe80::1%25eth0%5D:50000", "fe80::1"),
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
        peers.address_of(peer)
