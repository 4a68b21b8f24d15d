"""How many small jobs, and how many questions, are answered in a second."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from scripts.bench import ct
from scripts.bench.connection import Connection, HttpError, content_length
from scripts.bench.job import run_job
from scripts.bench.lab import Lab, warm_up
from scripts.bench.models import PHANTOM
from scripts.bench.rows import Row
from scripts.bench.server import Server

SMALL_JOBS = ((1, 50.0, 24.0), (8, 80.0, 37.0))
"""Clients, the target and what the original did, in jobs a second."""
QUESTIONS = (("/ping", 2000.0, 1970.0), ("/api/v2/Model/", 2000.0, 488.0))
CONNECTIONS = 16
OK = b"HTTP/1.1 200 "
_READ_BYTES = 64 * 1024


def small_jobs(lab: Lab) -> Iterator[Row]:
    """Count jobs of 32 × 64 × 64 voxels from one client and from eight."""
    for clients, target, original in SMALL_JOBS:
        values = small_jobs_per_second(lab, clients)
        name = f"small jobs, {clients} client{'s' if clients > 1 else ''}"
        yield Row(name, "/s", values, target, original, at_least=True)


def small_jobs_per_second(lab: Lab, clients: int) -> tuple[float, ...]:
    """Return how many jobs a second `clients` together get done, round by round."""
    scan = ct.load(ct.SMALL_KJI)
    warm_up(lab.server, PHANTOM, scan)

    def client(until: float) -> int:
        done = 0
        with lab.server.connect() as connection:
            while time.monotonic() < until:
                run_job(connection, PHANTOM, scan.parts())
                done += 1
        return done

    def once() -> float:
        began = time.monotonic()
        done = sum(threads.map(client, [began + lab.size.seconds] * clients))
        return done / (time.monotonic() - began)

    with ThreadPoolExecutor(clients) as threads:
        return tuple(once() for _ in range(lab.size.rounds))


def questions(lab: Lab) -> Iterator[Row]:
    """Count answers over kept-alive connections, each with one question under way at any time."""
    for path, target, original in QUESTIONS:
        rounds = [answers_per_second(lab.server, path, lab.size.seconds) for _ in range(lab.size.rounds)]
        yield Row(
            f"GET {path}, {CONNECTIONS} connections",
            "/s",
            tuple(rate for rate, _ in rounds),
            target,
            original,
            at_least=True,
            facts={"client_cpu_share": max(share for _, share in rounds)},
        )


def answers_per_second(
    server: Server, path: str, seconds: float, headers: Sequence[str] = ()
) -> tuple[float, float]:
    """Return how many answers to `path` come in a second, and the share of a core that the client took.

    One thread serves all connections with epoll and no HTTP library: on two cores, the client must not be
    what is measured.
    """
    with ExitStack() as stack:
        connections = [stack.enter_context(server.connect(headers)) for _ in range(CONNECTIONS)]
        question = connections[0].head("GET", path)
        asking = [_Asking(connection, question) for connection in connections]
        began, began_cpu = time.perf_counter(), time.process_time()
        answered = _keep_asking(asking, began + seconds)
        took = time.perf_counter() - began
        return answered / took, (time.process_time() - began_cpu) / took


class _Asking:
    """A connection that asks the same again and again; every answer is as long as the first."""

    def __init__(self, connection: Connection, question: bytes) -> None:
        self.socket = connection.socket
        self._question = question
        self._length = len(_ask_once(connection, question))
        self._missing = 0

    def ask(self) -> None:
        """Send the question."""
        self._missing = self._length
        self.socket.sendall(self._question)

    def hear(self) -> int:
        """Take what has come; return 1 where that ends an answer, and ask again."""
        part = self.socket.recv(self._missing)
        if not part or (self._missing == self._length and not part.startswith(OK)):
            raise HttpError(part.decode(errors="replace"))
        self._missing -= len(part)
        if self._missing:
            return 0
        self.ask()
        return 1


def _ask_once(connection: Connection, question: bytes) -> bytes:
    """Return a whole answer, headers included."""
    connection.socket.sendall(question)
    answer = connection.socket.recv(_READ_BYTES)
    while (end := answer.find(b"\r\n\r\n") + 4) < 4 or len(answer) < end + content_length(answer[:end]):
        answer += connection.socket.recv(_READ_BYTES)
    if not answer.startswith(OK):
        raise HttpError(answer.decode(errors="replace"))
    return answer


def _keep_asking(asking: Sequence[_Asking], until: float) -> int:
    """Ask on every connection, and again once its answer is there; return how many answers came."""
    answered = 0
    with selectors.DefaultSelector() as selector:
        for one in asking:
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.ask()
        while time.perf_counter() < until:
            for key, _ in selector.select(1.0):
                answered += key.data.hear()
    return answered
