"""What `segint doctor` asks of the server of a home: its ports, the core, the gateway, and one job."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.findings import Finding, ok, problem, warning
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.client.operations import Operations
from segint_grpc.client.trial_job import offered_by, run_trial, trial_version
from segint_grpc.client.trust import Trust, from_environment
from segint_grpc.home import Home
from segint_grpc.serve import record
from segint_grpc.serve.addresses import Endpoint, check_listening, parse_endpoint
from segint_grpc.settings import Settings
from segint_grpc.tls.folder import AuthorityFolder

CONNECT_S = 5.0


def check_server(settings: Settings, home: Home, model_id: str) -> Iterator[Finding]:
    """Yield what is found; what cannot be told because something before it failed is left out."""
    running = record.read(record.serve_file(home))
    yield _ports(settings, running)
    core = _core(home)
    yield core
    if core.next and running is None:
        return
    url, trust = _way(settings, home, running)
    yield from _gateway_and_job(home, url, trust, model_id)


def _way(settings: Settings, home: Home, running: record.Running | None) -> tuple[str, Trust]:
    """Return the gateway's URL on this machine, and by what it is known there."""
    plain, secure = (running.http, running.https) if running else (settings.http, settings.https)
    scheme, text = ("http", plain) if plain else ("https", secure)
    authority = AuthorityFolder(home.path / "tls").authority
    trust = from_environment(authority if authority.exists() else None)
    return f"{scheme}://{_near(parse_endpoint(text, scheme))}", trust


def _ports(settings: Settings, running: record.Running | None) -> Finding:
    if running is None:
        try:
            check_listening(settings)
        except errors.SegIntError as error:
            return problem("ports", str(error), "segint config show")
        wanted = _listed(HTTP=settings.http, HTTPS=settings.https, gRPC=settings.grpc)
        return ok("ports", f"Free are: {wanted}.")
    for text in filter(None, (running.http, running.https, running.grpc)):
        endpoint = _near(parse_endpoint(text, "address"))
        try:
            socket.create_connection((endpoint.host, endpoint.port), CONNECT_S).close()
        except OSError as error:
            return problem(
                "ports", f"{endpoint} does not answer ({error.strerror}).", f"ss -ltn | grep {text}"
            )
    answering = _listed(HTTP=running.http, HTTPS=running.https, gRPC=running.grpc)
    return ok("ports", f"Something answers on each: {answering}.")


def _listed(**addresses: str) -> str:
    return ", ".join(f"{name} {text}" for name, text in addresses.items() if text)


def _core(home: Home) -> Finding:
    start = f"segint serve --home {home.path}"
    try:
        with Operations(home) as operations:
            figures = operations.figures()
    except errors.SegIntError as error:
        unreachable = isinstance(error, errors.ServerUnreachable)
        return problem("core", "No server answers on this home." if unreachable else str(error), start)
    return ok("core", f"It answers; {figures.slots_busy} of {figures.slots} slots run a job.")


def _gateway_and_job(home: Home, url: str, trust: Trust, model_id: str) -> Iterator[Finding]:
    try:
        offered = asyncio.run(offered_by(url, trust))
    except errors.SegIntError as error:
        yield problem("gateway", str(error), f"tail {home.logs}/*.log")
        return
    count = sum(len(family.ModelVersions) for family in offered.Models)
    yield ok("gateway", f"{url} answers and offers {count} model version{'' if count == 1 else 's'}.")
    yield _job(home, url, trust, offered, model_id)


def _job(home: Home, url: str, trust: Trust, offered: Model_pb2.ModelsCollection, model_id: str) -> Finding:
    try:
        chosen = trial_version(offered, model_id)
    except errors.UnknownModel as error:
        return warning("job", f"No job could be tried. {error}", "segint model list")
    try:
        trial = asyncio.run(run_trial(url, offered, chosen, trust))
    except errors.ServerRefused as error:
        advice = "segint doctor --model ID"
        return warning("job", f"{chosen!r} does not take the trial scan: {error}", advice)
    except errors.SegIntError as error:
        return problem("job", f"A trial job for {chosen!r} failed: {error}", "segint job list --state failed")
    # The trial was nobody's scan; it is to count in no statistics.
    with suppress(errors.SegIntError), JobAdministration(home) as jobs:
        jobs.delete(trial.job_id)
    masks = f"{trial.masks} mask{'' if trial.masks == 1 else 's'}"
    return ok("job", f"A trial job for {chosen!r} gave {masks} over HTTP in {trial.spent_s:.1f} s.")


def _near(endpoint: Endpoint) -> Endpoint:
    """Return where a program on this machine reaches `endpoint`."""
    if not endpoint.everywhere:
        return endpoint
    return Endpoint("::1" if ":" in endpoint.host else "127.0.0.1", endpoint.port)
