"""What a person reads when the server has started: where it listens and what to type into Velocity."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from segint_grpc import __version__
from segint_grpc.serve.addresses import Endpoint, Interface, parse_endpoint, reachable
from segint_grpc.serve.record import Running
from segint_grpc.settings import TOKEN


def banner(running: Running, known: Sequence[Interface]) -> str:
    """Return the text for `running`; `known` are this machine's interfaces."""
    http = parse_endpoint(running.http, "http")
    lines = [
        f"SegInt {__version__} is running. Research software, no medical device.",
        "",
        f"  HTTP (Velocity)   {_where(http)}",
        f"  gRPC              {running.grpc}",
        f"  Home              {running.home}",
        "",
        *(_local(http, known) if http.loopback else _remote(http, running, known)),
    ]
    return "\n".join(lines)


def _where(http: Endpoint) -> str:
    # The wildcard address is none that a client could use, so it must not look like one.
    return (
        f"port {http.port} of every network that this machine is in" if http.everywhere else f"http://{http}/"
    )


def _local(http: Endpoint, known: Sequence[Interface]) -> list[str]:
    network = next((interface.network for interface in known if ":" not in interface.network), "10.1.2.0/24")
    return [
        f"In Velocity on this machine, type http://{http}/. Other machines cannot reach it.",
        "To let Velocity on another computer in, stop this and start it again with that computer's network:",
        f"  --http 0.0.0.0:{http.port} --allow {network}",
    ]


def _remote(http: Endpoint, running: Running, known: Sequence[Interface]) -> list[str]:
    ways = reachable(http, known)
    addresses = [f"  http://{way}/" + (f"   ({name})" if name else "") for name, way in ways]
    return [
        "In Velocity, type the address of the network that both computers share:",
        *(addresses or ["  (no network interface is up)"]),
        *_let_in(running),
        f"If nothing can reach it, open TCP port {http.port} in this machine's firewall:",
        *(f"  {command}" for command in _firewall_commands(http.port, running.allow)),
    ]


def _let_in(running: Running) -> list[str]:
    by_token = running.client_mode == TOKEN
    told = ["Each client needs a token: segint token create NAME makes one."] if by_token else []
    if running.allow and not any(network.endswith("/0") for network in running.allow):
        return [f"Let in: {', '.join(running.allow)}; everybody else is refused.", *told]
    return told or [
        "WARNING: every address is let in. Name the network that Velocity's computers are in instead."
    ]


def _firewall_commands(port: int, allow: Sequence[str]) -> list[str]:
    if shutil.which("firewall-cmd"):
        return [f"sudo firewall-cmd --permanent --add-port={port}/tcp && sudo firewall-cmd --reload"]
    if not allow:
        return [f"sudo ufw allow {port}/tcp"]
    return [f"sudo ufw allow from {network} to any port {port} proto tcp" for network in allow]
