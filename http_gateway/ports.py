"""The ports that the gateway is to open: plain HTTP, HTTP with TLS, or both."""

from __future__ import annotations

from dataclasses import dataclass

from segint_grpc import errors
from segint_grpc.networks import check_exposure, parse_endpoint
from segint_grpc.settings import Settings
from segint_grpc.tls.context import ServerContext
from segint_grpc.tls.identity import server_files
from segint_grpc.tls.watched import Watched


@dataclass(frozen=True)
class Port:
    """A port to open; `setting` is http or https, number 0 takes a free one."""

    setting: str
    host: str
    number: int
    tls: ServerContext | None


def wanted_ports(settings: Settings) -> list[Port]:
    """Return the ports that the settings ask for, at least one.

    Raises:
        InvalidSetting: an address or a network is none, no port is wanted, or the certificate is of no use.
        StartRefused: others could connect and it is not said who may.
    """
    if not settings.http and not settings.https:
        raise errors.InvalidSetting(
            "http and https are both empty, so nobody could reach the gateway; set one."
        )
    files = server_files(settings)
    tls = ServerContext(Watched(files)) if files and settings.https else None
    ports = []
    for setting, text in (("http", settings.http), ("https", settings.https)):
        if text:
            host, number = parse_endpoint(text, setting)
            check_exposure(settings, setting, host)
            ports.append(Port(setting, host, number, tls if setting == "https" else None))
    return ports
