"""What `segint doctor` asks of the server of a home: its ports, the core, the gateway, and one job."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.access import Access
from segint_grpc.client.findings import Finding, ok, problem, warning
from segint_grpc.client.job_administration import JobAdministration
from segint_grpc.client.operations import Operations
from segint_grpc.client.trial_job import offered_by, run_trial, trial_version
from segint_grpc.home import Home
from segint_grpc.serve import record
from segint_grpc.serve.addresses import Endpoint, check_listening, parse_endpoint
from segint_grpc.settings import Settings

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
    url = f"http://{_near(parse_endpoint(running.http if running else settings.http, 'http'))}"
    yield from _gateway_and_job(home, url, model_id)


def _ports(settings: Settings, running: record.Running | None) -> Finding:
    if running is None:
        try:
            check_listening(settings)
        except errors.SegIntError as error:
            return problem("ports", str(error), "segint config show")
        return ok("ports", f"{settings.http} (HTTP) and {settings.grpc} (gRPC) are free.")
    for text in (running.http, running.grpc):
        endpoint = _near(parse_endpoint(text, "address"))
        try:
            socket.create_connection((endpoint.host, endpoint.port), CONNECT_S).close()
        except OSError as error:
            return problem(
                "ports", f"{endpoint} does not answer ({error.strerror}).", f"ss -ltn | grep {text}"
            )
    return ok("ports", f"HTTP answers on {running.http}, gRPC on {running.grpc}.")


def _core(home: Home) -> Finding:
    start = f"segint serve --home {home.path}"
    try:
        with Operations(home) as operations:
            figures = operations.figures()
    except errors.SegIntError as error:
        unreachable = isinstance(error, errors.ServerUnreachable)
        return problem("core", "No server answers on this home." if unreachable else str(error), start)
    return ok("core", f"It answers; {figures.slots_busy} of {figures.slots} slots run a job.")


def _gateway_and_job(home: Home, url: str, model_id: str) -> Iterator[Finding]:
    with ExitStack() as stack:
        try:
            token, offered = _offered(home, url, stack)
        except errors.SegIntError as error:
            yield problem("gateway", str(error), f"tail {home.logs}/*.log")
            return
        yield from _tried(home, url, offered, model_id, token)


def _offered(home: Home, url: str, stack: ExitStack) -> tuple[str, Model_pb2.ModelsCollection]:
    """Return what the gateway offers, and the token that it takes to be told, which ends with `stack`."""
    try:
        return "", asyncio.run(offered_by(url))
    except errors.Unauthenticated:
        token = stack.enter_context(_trial_token(home))
        return token, asyncio.run(offered_by(url, token))


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
    home: Home, url: str, offered: Model_pb2.ModelsCollection, model_id: str, token: str
) -> Iterator[Finding]:
    count = sum(len(family.ModelVersions) for family in offered.Models)
    yield ok("gateway", f"{url} answers and offers {count} model version{'' if count == 1 else 's'}.")
    yield _job(home, url, offered, model_id, token)


def _job(home: Home, url: str, offered: Model_pb2.ModelsCollection, model_id: str, token: str) -> Finding:
    try:
        chosen = trial_version(offered, model_id)
    except errors.UnknownModel as error:
        return warning("job", f"No job could be tried. {error}", "segint model list")
    try:
        trial = asyncio.run(run_trial(url, offered, chosen, token))
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
