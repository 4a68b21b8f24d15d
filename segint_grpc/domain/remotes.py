"""Servers elsewhere that run models: how they are named, and which of them scans may be sent to.

An origin is a scheme, a host and a port (RFC 6454). A scan leaves this machine only for an origin that the
settings list; whether it travels encrypted is part of the origin, so nobody weakens it by a parameter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from segint_grpc import errors

GIB = 1024**3

_PORTS = {"http": 80, "https": 443}
_WANTED = "a URL as https://HOST:PORT, with a path or without, and no user, query or fragment"
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])"
    r"(:(?P<port>\d{1,5}))?(?P<path>(/[A-Za-z0-9._~-]+)*)/?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Origin:
    """Where a server listens; `host` is a name or an address in lower case, an IPv6 one without brackets."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a URL, with its port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine by its name alone: a loopback address or `localhost`."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def token_file(self) -> str:
        """The name of the file with the token that is shown to it."""
        return f"{self.host}_{self.port}.token"


@dataclass(frozen=True)
class RemoteRules:
    """What the settings say of servers that run models elsewhere. Paths are absolute.

    `servers` may be sent scans, beside this machine itself. `authority` is the PEM file that their
    certificates are checked by, by default what the machine knows; `tokens` the folder with a token for each
    that asks for one; `answer_max_bytes` the most that is read of one answer.
    """

    servers: tuple[Origin, ...] = ()
    authority: Path | None = None
    tokens: Path | None = None
    answer_max_bytes: int = 4 * GIB

    def check(self, origin: Origin) -> None:
        """Raise InvalidModel unless scans may be sent to `origin`."""
        if origin.is_here or origin in self.servers:
            return
        listed = ", ".join(map(str, self.servers)) or "none beside this machine"
        mended = ", ".join(f'"{server}"' for server in (*self.servers, origin))
        raise errors.InvalidModel(
            f"No scan may be sent to {origin}. The setting open_inference_servers lists {listed}; who owns "
            f"the server may write open_inference_servers = [{mended}] into segint.toml and start it again."
        )


HERE_ALONE = RemoteRules()
"""What holds where no settings are: only servers on this machine."""


def parse_url(text: str) -> tuple[Origin, str]:
    """Return the origin of a URL and its path, which is empty or begins with a slash and ends with none.

    Raises:
        ValueError: it is no http or https URL of host, port and path alone; what it may hold beside these,
            such as a user's name, is not repeated.
    """
    found = _URL.fullmatch(text)
    port = int(found["port"] or _PORTS[found["scheme"].lower()]) if found else 0
    if found is None or not 0 < port < 65536 or {".", ".."} & set(found["path"].split("/")):
        raise ValueError(_WANTED)
    return Origin(found["scheme"].lower(), _host(found["host"].lower()), port), found["path"]


def _host(text: str) -> str:
    if not text.startswith("["):
        return text
    try:
        return str(IPv6Address(text[1:-1]))
    except ValueError:
        raise ValueError(_WANTED) from None
