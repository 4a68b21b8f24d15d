"""What a person reads when the server has started: where it listens and what to type into Velocity."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from segint_grpc import __version__
from segint_grpc.serve.addresses import Endpoint, Interface, parse_endpoint, reachable
from segint_grpc.serve.record import Running
from segint_grpc.settings import TOKEN


def banner(running: Running, known: Sequence[Interface]) -> str:
    """Return the text for `running`; `known` are this machine's interfaces."""
    door = _Door.of(running, "http") or _Door.of(running, "https")
    assert door is not None, "a server without HTTP is refused before it starts"
    lines = [
        f"SegInt {__version__} is running. Research software, no medical device.",
        "",
        *(f"  {label:<17} {where}" for label, where in _places(running)),
        "",
        *(_local(door, running, known) if door.endpoint.loopback else _remote(door, running, known)),
        *(f"NOTE: {note}" for note in running.notes),
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Door:
    """A port for HTTP: its scheme, which is the setting too, and where it is."""

    scheme: str
    endpoint: Endpoint

    def __str__(self) -> str:
        """Return the URL."""
        return f"{self.scheme}://{self.endpoint}/"

    @classmethod
    def of(cls, running: Running, scheme: str) -> _Door | None:
        """Return the port of that scheme, None where there is none."""
        text = running.http if scheme == "http" else running.https
        return cls(scheme, parse_endpoint(text, scheme)) if text else None


def _places(running: Running) -> Iterator[tuple[str, str]]:
    for scheme, label in (("http", "HTTP (Velocity)"), ("https", "HTTPS")):
        door = _Door.of(running, scheme)
        if door is not None:
            yield label, _where(door)
    yield "gRPC", running.grpc
    yield "Home", running.home


def _where(door: _Door) -> str:
    # The wildcard address is none that a client could use, so it must not look like one.
    if door.endpoint.everywhere:
        return f"port {door.endpoint.port} of every network that this machine is in"
    return str(door)


def _local(door: _Door, running: Running, known: Sequence[Interface]) -> list[str]:
    network = next((interface.network for interface in known if ":" not in interface.network), "10.1.2.0/24")
    return [
        f"In Velocity on this machine, type {door}. Other machines cannot reach it.",
        *_tokens(running),
        "To let Velocity on another computer in, stop this and start it again with that computer's network:",
        f"  --{door.scheme} 0.0.0.0:{door.endpoint.port} --allow {network}",
    ]


def _remote(door: _Door, running: Running, known: Sequence[Interface]) -> list[str]:
    port = door.endpoint.port
    ways = reachable(door.endpoint, known)
    addresses = [f"  {door.scheme}://{way}/" + (f"   ({name})" if name else "") for name, way in ways]
    return [
        "In Velocity, type the address of the network that both computers share:",
        *(addresses or ["  (no network interface is up)"]),
        *_let_in(running),
        f"If nothing can reach it, open TCP port {port} in this machine's firewall:",
        *(f"  {command}" for command in _firewall_commands(port, running.allow)),
    ]


def _let_in(running: Running) -> list[str]:
    told = _tokens(running)
    if running.allow and not any(network.endswith("/0") for network in running.allow):
        return [f"Let in: {', '.join(running.allow)}; everybody else is refused.", *told]
    return told or [
        "WARNING: every address is let in. Name the network that Velocity's computers are in instead."
    ]


def _tokens(running: Running) -> list[str]:
    if running.client_mode != TOKEN:
        return []
    return ["Each client needs a token: segint token create NAME makes one."]


def _firewall_commands(port: int, allow: Sequence[str]) -> list[str]:
    if shutil.which("firewall-cmd"):
        return [f"sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload"]
    if not allow:
        return [f"sudo ufw allow {port}/tcp"]
    return [f"sudo ufw allow from {network} to any port {port} proto tcp" for network in allow]
