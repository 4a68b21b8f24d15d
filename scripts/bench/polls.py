"""How many polls of a job are answered in a second: by anybody, and by its owner, who shows a token."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from scripts.bench import ct
from scripts.bench.job import run_job
from scripts.bench.lab import Lab
from scripts.bench.rows import Row
from scripts.bench.server import SAMPLE, SEGINT, Server, serving
from scripts.bench.throughput import CONNECTIONS, answers_per_second

TARGET = 5000.0
TOKEN_MODE = {"SEGINT_CLIENT_MODE": "token"}


def polls(lab: Lab) -> Iterator[Row]:
    """Count answers to polls of a job that has ended, without and with a token."""
    yield _row("polls", lab, lab.server, ())
    with serving(TOKEN_MODE) as server:
        yield _row("polls with a token", lab, server, (f"Authorization: Bearer {_token(server)}",))


def _row(name: str, lab: Lab, server: Server, headers: tuple[str, ...]) -> Row:
    path = _posted(server, headers)
    seconds, rounds = lab.size.seconds, lab.size.rounds
    found = [answers_per_second(server, path, seconds, headers) for _ in range(rounds)]
    return Row(
        f"{name}, {CONNECTIONS} connections",
        "/s",
        tuple(rate for rate, _ in found),
        TARGET,
        at_least=True,
        facts={"client_cpu_share": max(share for _, share in found)},
    )


def _posted(server: Server, headers: tuple[str, ...]) -> str:
    """Return the path of a small job that has ended."""
    with server.connect(headers) as connection:
        return run_job(connection, SAMPLE, ct.load(ct.SMALL_KJI).parts()).path


def _token(server: Server) -> str:
    command = (*SEGINT, "token", "create", "bench", "--home", str(server.home.path))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip()
