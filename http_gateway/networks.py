"""Who may connect: listening beyond this machine asks for a list of networks, and others are refused."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from segint_grpc import errors

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(texts: Sequence[str], setting: str = "allow") -> tuple[Network, ...]:
    """Return the networks that `texts` name in CIDR notation (RFC 4632); a single address is a network too.

    Raises:
        InvalidSetting: a text is no network.
    """
    return tuple(_parse_network(text, setting) for text in texts)


def _parse_network(text: str, setting: str) -> Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        raise errors.InvalidSetting(
            f"{setting}: {text!r} is no network; write one as 192.168.10.0/24."
        ) from None


@lru_cache(maxsize=256)
def parse_address(host: str) -> Address | None:
    """Return `host` as an address, zone removed and IPv4-mapped IPv6 as IPv4; None where it is no address."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def admitted(peer: Address | None, networks: Sequence[Network]) -> bool:
    """Tell whether `peer` may connect: it is on this machine, in one of `networks`, or nothing is set."""
    if not networks:
        return True
    return peer is not None and (peer.is_loopback or any(peer in network for network in networks))


def parse_endpoint(text: str, setting: str = "http") -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[HOST]:PORT`.

    Raises:
        InvalidSetting: `text` is neither.
    """
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise errors.InvalidSetting(f"{setting}: {text!r} is no HOST:PORT; write one as 127.0.0.1:8000.")
    return host, int(port)


def check_listening(host: str, networks: Sequence[Network]) -> None:
    """Refuse to listen where other machines can connect unless it is said which of them may.

    Raises:
        StartRefused: `host` is no address of this machine alone and `networks` is empty, or it is unknown.
    """
    if networks:
        return
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise errors.StartRefused(f"The address {host} to listen on is unknown ({error.strerror}).") from None
    addresses = [parse_address(str(entry[4][0])) for entry in found]
    if not all(address is not None and address.is_loopback for address in addresses):
        raise errors.StartRefused(
            f"Listening on {host} opens the server to other machines; say which networks may connect, "
            "for instance --allow 192.168.10.0/24, or listen on 127.0.0.1."
        )
