"""Who is at the other end of a connection, and whether its network may connect.

gRPC writes a peer as `ipv4:10.0.0.7:50000`, `ipv6:%5Bfe80::1%25eth0%5D:50000` or `unix:`.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from segint_grpc import errors

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def address_of(peer: str) -> Address | None:
    """Return the network address in `peer`, or None where it came through a unix socket.

    An IPv4 address that reached an IPv6 socket (`::ffff:10.0.0.7`, RFC 4291 section 2.5.5.2) is IPv4.

    Raises:
        Forbidden: `peer` is of no known form, so nothing can be said for it.
    """
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return None
    host = urllib.parse.unquote(rest).rpartition(":")[0].strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        raise errors.Forbidden("The caller's network address is unknown.") from None
    return getattr(address, "ipv4_mapped", None) or address


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks that `texts` name in CIDR notation (RFC 4632); one address is a network of one.

    Raises:
        InvalidSetting: a text is no network.
    """
    return tuple(_parse_network(text) for text in texts)


def _parse_network(text: str) -> Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise errors.InvalidSetting(f"allow: {text!r} is no network; write one as 192.168.10.0/24.") from None


def check_allowed(peer: str, networks: Sequence[Network]) -> None:
    """Raise Forbidden unless `peer` is on this machine or in one of `networks`; without any, all may call."""
    address = address_of(peer)
    if address is None or address.is_loopback or not networks:
        return
    if not any(address in network for network in networks):
        raise errors.Forbidden(f"The address {address} is in none of the networks that may connect (allow).")
