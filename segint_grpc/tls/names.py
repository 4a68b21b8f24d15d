"""The names and addresses under which this machine is reached: what its certificate must hold."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import psutil


def machine_names(public_url: str = "", more: Iterable[str] = ()) -> list[str]:
    """Return `more`, the public URL's host, this machine's names, localhost and every interface's address.

    Nothing is asked of the network but the machine's own name: an isolated hospital network answers no one.
    """
    host = urlsplit(public_url).hostname or ""
    names = [*more, host, socket.gethostname(), socket.getfqdn(), "localhost", *_addresses()]
    clean = (name.strip().rstrip(".").lower() for name in names)
    return list(dict.fromkeys(name for name in clean if name))


def _addresses() -> list[str]:
    entries = (entry.address for found in psutil.net_if_addrs().values() for entry in found)
    addresses = {"127.0.0.1", "::1"}
    for text in entries:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
        if not address.is_link_local:
            addresses.add(str(address))
    return sorted(addresses, key=lambda text: (":" in text, text))
