"""What `segint doctor` asks of the server of a home: its ports, the core, the gateway, and one job."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.access import Access
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
TRIAL_TOKEN = "segint doctor"
TRIAL_TOKEN_LIFETIME = timedelta(minutes=10)


def check_server(settings: Settings, home: Home, model_id: str) -> Iterator[Finding]:
    """Yield what is found; what cannot be told because something before it failed is left out."""
    running = record.read(record.serve_file(home))
    yield _ports(settings, running)
    core = _core(home)
    yield core
    if core.next and running is None:
        return
    yield from _gateway_and_job(home, _way(settings, home, running), model_id)


@dataclass(frozen=True)
class _Way:
    """Where the gateway answers on this machine, and by what it is known."""

    url: str
    trust: Trust


def _way(settings: Settings, home: Home, running: record.Running | None) -> _Way:
    """Return the gateway's URL on this machine, and by what it is known there."""
    plain, secure = (running.http, running.https) if running else (settings.http, settings.https)
    scheme, text = ("http", plain) if plain else ("https", secure)
    authority = AuthorityFolder(home.path / "tls").authority
    trust = from_environment(authority if authority.exists() else None)
    return _Way(f"{scheme}://{_near(parse_endpoint(text, scheme))}", trust)


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


def _gateway_and_job(home: Home, way: _Way, model_id: str) -> Iterator[Finding]:
    with ExitStack() as stack:
        try:
            token, offered = _offered(home, way, stack)
        except errors.SegIntError as error:
            yield problem("gateway", str(error), f"tail {home.logs}/*.log")
            return
        yield from _tried(home, way, offered, model_id, token)


def _offered(home: Home, way: _Way, stack: ExitStack) -> tuple[str, Model_pb2.ModelsCollection]:
    """Return what the gateway offers, and the token that it takes to be told, which ends with `stack`."""
    try:
        return "", asyncio.run(offered_by(way.url, trust=way.trust))
    except errors.Unauthenticated:
        token = stack.enter_context(_trial_token(home))
        return token, asyncio.run(offered_by(way.url, token, way.trust))


@contextmanager
def _trial_token(home: Home) -> Iterator[str]:
    """Give a token for the trial alone."""
    with Access(home) as access:
        made = access.create_token(TRIAL_TOKEN, "client", datetime.now(UTC) + TRIAL_TOKEN_LIFETIME)
        try:
            yield made.secret
        finally:
            access.revoke_token(made.token.id)


def _tried(
    home: Home, way: _Way, offered: Model_pb2.ModelsCollection, model_id: str, token: str
) -> Iterator[Finding]:
    count = sum(len(family.ModelVersions) for family in offered.Models)
    yield ok("gateway", f"{way.url} answers and offers {count} model version{'' if count == 1 else 's'}.")
    yield _job(home, way, offered, model_id, token)


def _job(home: Home, way: _Way, offered: Model_pb2.ModelsCollection, model_id: str, token: str) -> Finding:
    try:
        chosen = trial_version(offered, model_id)
    except errors.UnknownModel as error:
        return warning("job", f"No job could be tried. {error}", "segint model list")
    try:
        trial = asyncio.run(run_trial(way.url, offered, chosen, token, way.trust))
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
