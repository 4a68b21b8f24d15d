"""Where the server listens, checked before anything is started, and how other machines reach it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from segint_grpc import errors
from segint_grpc.networks import two_ways
from segint_grpc.settings import OPEN, Settings


@dataclass(frozen=True)
class Endpoint:
    """An address to listen on: a host (name or IP address, no brackets) and a port; 0 is any free one."""

    host: str
    port: int

    @property
    def everywhere(self) -> bool:
        """True for the wildcard addresses 0.0.0.0 and ::."""
        address = _ip_address(self.host)
        return address is not None and address.is_unspecified

    @property
    def loopback(self) -> bool:
        """True where only programs on this machine can connect."""
        return all(ipaddress.ip_address(address).is_loopback for address in self.resolved())

    def resolved(self) -> list[str]:
        """Return the IP addresses that the host stands for.

        Raises:
            InvalidSetting: nobody knows the name.
        """
        if _ip_address(self.host) is not None:
            return [self.host]
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError:
            raise errors.InvalidSetting(f"{self.host} is no address of this machine.") from None
        return [str(entry[4][0]) for entry in found]

    def __str__(self) -> str:
        """Return host:port, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Interface:
    """A network interface that is up: its name, its address, and the network (CIDR) around it."""

    name: str
    address: str
    network: str


def parse_endpoint(text: str, setting: str) -> Endpoint:
    """Return the endpoint that `text` (HOST:PORT) of `setting` names.

    Raises:
        InvalidSetting: `text` is no HOST:PORT.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) <= 65535):
        raise errors.InvalidSetting(f"{setting} must be HOST:PORT, such as 127.0.0.1:8000, not {text!r}.")
    return Endpoint(host, int(port))


def check_listening(settings: Settings) -> None:
    """Check `http`, `https`, `grpc` and `allow` before anything starts.

    Raises:
        InvalidSetting: one of them cannot be read.
        StartRefused: a port is in use, or the server would listen to everybody.
    """
    for network in settings.allow:
        if _ip_network(network) is None:
            raise errors.InvalidSetting(f"allow must name networks such as 10.1.2.0/24, not {network!r}.")
    for setting, text in (("http", settings.http), ("https", settings.https), ("grpc", settings.grpc)):
        if not text and setting != "grpc":
            continue
        endpoint = parse_endpoint(text, setting)
        if settings.mode == OPEN and not endpoint.loopback:
            raise errors.StartRefused(_advice(setting, endpoint))
        _check_free(setting, endpoint)


def interfaces() -> list[Interface]:
    """Return this machine's interfaces with an address that other machines may reach, read locally."""
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    found = []
    for name, addresses in psutil.net_if_addrs().items():
        for entry in addresses if name in up else ():
            address = _ip_address(entry.address)
            if address is None or address.is_loopback or address.is_link_local:
                continue
            network = _ip_network(f"{entry.address}/{entry.netmask}")
            found.append(Interface(name, entry.address, str(network or entry.address)))
    return sorted(found, key=lambda interface: (":" in interface.address, interface.name))


def reachable(endpoint: Endpoint, known: Sequence[Interface]) -> list[tuple[str, Endpoint]]:
    """Return (interface name, endpoint to type into a client) for each way to `endpoint`."""
    if not endpoint.everywhere:
        return [(_name_of(endpoint.host, known), endpoint)]
    version_4_only = "." in endpoint.host
    return [
        (interface.name, Endpoint(interface.address, endpoint.port))
        for interface in known
        if not (version_4_only and ":" in interface.address)
    ]


def _name_of(host: str, known: Sequence[Interface]) -> str:
    return next((interface.name for interface in known if interface.address == host), "")


def _check_free(setting: str, endpoint: Endpoint) -> None:
    if endpoint.port == 0:
        return
    for address in endpoint.resolved():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, endpoint.port))
            except OSError as error:
                raise errors.StartRefused(_why_not(setting, endpoint, error)) from None


def _why_not(setting: str, endpoint: Endpoint, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = Endpoint(endpoint.host, endpoint.port % 65535 + 1)
        return (
            f"{endpoint} is in use by another program; stop that one, or choose another: --{setting} {other}."
        )
    if error.errno == errno.EACCES:
        return f"Port {endpoint.port} is the administrator's alone; choose one above 1023 with --{setting}."
    return f"{endpoint} cannot be listened on ({error.strerror}); is it an address of this machine?"


def _advice(setting: str, endpoint: Endpoint) -> str:
    networks = [interface.network for interface in interfaces() if ":" not in interface.network]
    example = networks[0] if networks else "10.1.2.0/24"
    return f"{setting} {endpoint} would let every machine of the network in. {two_ways(example)}"


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _ip_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
