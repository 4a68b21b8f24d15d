"""Under which URL the client reaches this server: what VendorStatus tells it."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

import psutil
from aiohttp import web

from segint_grpc import errors
from segint_grpc.networks import Address, parse_address

API_PATH = "/api/v2/"
_CACHE_S = 60.0
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@?#\s]+)(?::([0-9]{1,5}))?", re.ASCII)


class Machine:
    """The names and interface addresses of this machine, read again after a minute: they change (DHCP)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet; `clock` gives seconds."""
        self._clock = clock
        self._read_at_s = float("-inf")
        self._names: frozenset[str] = frozenset()
        self._addresses: frozenset[Address] = frozenset()

    def is_called(self, host: str) -> bool:
        """Tell whether `host`, a name or an address, is one of this machine's."""
        if self._clock() - self._read_at_s > _CACHE_S:
            self._read()
        address = parse_address(host)
        if address is not None:
            return address.is_loopback or address in self._addresses
        return host.lower().rstrip(".") in self._names

    def _read(self) -> None:
        name = socket.gethostname().lower()
        self._names = frozenset({"localhost", name, name.partition(".")[0]})
        interfaces = psutil.net_if_addrs().values()
        found = (parse_address(entry.address) for entries in interfaces for entry in entries)
        self._addresses = frozenset(address for address in found if address is not None)
        self._read_at_s = self._clock()


def check_public_url(public_url: str) -> None:
    """Raise InvalidSetting unless `public_url` is empty or an http or https URL."""
    if public_url and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", public_url, re.IGNORECASE):
        raise errors.InvalidSetting(
            f"public_url: {public_url!r} is no URL; write one as http://segint.example:8000."
        )


def service_url(request: web.BaseRequest, public_url: str, machine: Machine) -> str:
    """Return where the /api/v2/ routes answer: the public URL, the Host it asked for, or where it came in.

    A Host that is none of this machine's names could come from anybody, so it is never repeated.
    """
    if public_url:
        base = public_url.rstrip("/")
        base = base[: -len(API_PATH) + 1] if base.lower().endswith(API_PATH[:-1]) else base
        return f"{base}{API_PATH}"
    default_port = 443 if request.scheme == "https" else 80
    match = _HOST.fullmatch(request.headers.get("Host", ""))
    if match and int(match[2] or default_port) <= 65535 and machine.is_called(match[1]):
        return f"{request.scheme}://{match[1]}:{match[2] or default_port}{API_PATH}"
    return f"{request.scheme}://{_socket_address(request)}{API_PATH}"


def _socket_address(request: web.BaseRequest) -> str:
    """Return the address and port of this machine at which the request's connection arrived."""
    transport = request.transport
    host, port = transport.get_extra_info("sockname")[:2] if transport else ("127.0.0.1", 0)
    address = parse_address(host)
    return f"[{address}]:{port}" if address and address.version == 6 else f"{address}:{port}"
