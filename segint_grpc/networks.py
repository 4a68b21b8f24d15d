"""Addresses and networks: who may connect, who it is behind a proxy, and where the server may listen."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from segint_grpc import errors
from segint_grpc.settings import OPEN, Settings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

FORWARDED_MAX = 20
"""Hops of an X-Forwarded-For that are looked at; nobody has more proxies than that."""


def parse_networks(texts: Sequence[str], setting: str = "allow") -> tuple[Network, ...]:
    """Return the networks that `texts` name in CIDR notation (RFC 4632); a single address is a network too.

    Raises:
        InvalidSetting: a text of `setting` is no network.
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
        address = ip_address(host.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=4096)
def origin_of(address: str) -> str:
    """Return what counts as one address: with IPv6 the /64, any address of which one machine may take."""
    found = parse_address(address)
    if found is None or found.version == 4:
        return str(found or address)
    return str(ip_network((found, 64), strict=False))


def admitted(peer: Address | None, networks: Sequence[Network]) -> bool:
    """Tell whether `peer` is on this machine or in one of `networks`."""
    return peer is not None and (peer.is_loopback or any(peer in network for network in networks))


class Doorstep:
    """Which addresses may come to a door at all, by the settings `allow` and `client_mode`."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings; raises InvalidSetting where `allow` holds what is no network."""
        self._networks = parse_networks(settings.allow)
        self._everybody = not self._networks and settings.mode != "network"

    def check(self, address: Address | None) -> None:
        """Raise Forbidden unless `address` may come; without an `allow` list all may, but in network mode."""
        if not self._everybody and not admitted(address, self._networks):
            raise errors.Forbidden(
                f"The address {address} is in none of the networks that may connect (allow)."
            )


def client_address(
    peer: Address | None, forwarded: Sequence[str], proxies: Sequence[Network]
) -> Address | None:
    """Return where a request really came from: the peer, or what a trusted proxy says of it.

    `forwarded` are the request's X-Forwarded-For headers. Each proxy adds the address that it was called
    from on the right, so the right-most address that is none of `proxies` is the last one that a trusted
    proxy has seen; what stands left of it anybody may have written. One that is no address ends the search
    with None, since nobody can tell who that is.
    """
    if peer is None or not any(peer in network for network in proxies):
        return peer
    hops = [hop for header in forwarded for hop in header.split(",") if hop.strip()]
    for hop in reversed(hops[-FORWARDED_MAX:]):
        peer = parse_address(_without_port(hop.strip()))
        if peer is None or not any(peer in network for network in proxies):
            return peer
    return peer


def _without_port(hop: str) -> str:
    """Return `hop` without the port that some proxies add: 10.0.0.7:1234 or [2001:db8::1]:1234."""
    if hop.startswith("["):
        return hop.partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def parse_endpoint(text: str, setting: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `[HOST]:PORT`.

    Raises:
        InvalidSetting: `text` of `setting` is neither.
    """
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise errors.InvalidSetting(f"{setting}: {text!r} is no HOST:PORT; write one as 127.0.0.1:8000.")
    return host, int(port)


def check_exposure(settings: Settings, setting: str, host: str) -> None:
    """Refuse to listen on `host`, as `setting` says, where other machines could come in as they please.

    Raises:
        StartRefused: `host` is no address of this machine alone while the client mode is `open`.
        InvalidSetting: `host` is unknown, or a list of networks holds what is none.
    """
    parse_networks(settings.allow)
    parse_networks(settings.trusted_proxies, "trusted_proxies")
    parse_networks(settings.metrics_allow, "metrics_allow")
    if settings.mode == OPEN and not is_loopback(host):
        raise errors.StartRefused(
            f"Listening on {host} ({setting}) would let every machine of the network in. {two_ways()}"
        )


def two_ways(network: str = "192.168.10.0/24") -> str:
    """Return the sentences that name what to do instead of listening to everybody."""
    return (
        f"Name the networks that may connect, for instance --allow {network}, or let in only who has a "
        "token, --client-mode token (segint token create makes one); or listen on 127.0.0.1 for programs on "
        "this machine alone."
    )


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine reach `host`, a name or an address.

    Raises:
        InvalidSetting: nobody knows the name.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise errors.InvalidSetting(f"The address {host} is unknown ({error.strerror}).") from None
    addresses = [parse_address(str(entry[4][0])) for entry in found]
    return all(address is not None and address.is_loopback for address in addresses)
