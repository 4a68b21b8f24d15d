"""One job as Velocity runs it: post, poll every few milliseconds, fetch the masks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from generated.radiomics import Model_pb2
from scripts.bench.connection import Connection

POLL_S = 0.005
NS = 1e9


class JobFailedError(Exception):
    """The server says that the segmentation failed."""


@dataclass(frozen=True)
class Run:
    """When what happened to a job (CLOCK_MONOTONIC, ns), and what came back: a serialized ModelOutput."""

    begun_ns: int
    sent_ns: int
    accepted_ns: int
    ended_ns: int
    fetched_ns: int
    result: bytes
    path: str = ""
    """Where the job answers."""

    @property
    def total_s(self) -> float:
        """From the first byte of the upload to the last of the download."""
        return (self.fetched_ns - self.begun_ns) / NS


def run_job(connection: Connection, model: str, parts: Sequence[bytes]) -> Run:
    """Run one job of `model` for the body in `parts`.

    Raises:
        JobFailedError: the server gave it up.
        HttpError: a request was not answered with 200.
    """
    path = f"/api/v2/Model/{quote(model)}/segmentation"
    begun_ns = time.monotonic_ns()
    posted = connection.post(path, parts)
    accepted_ns = time.monotonic_ns()
    job = f"{path}/{Model_pb2.SegmentationTask.FromString(posted.body).SegmentationID}"
    _wait(connection, job)
    ended_ns = time.monotonic_ns()
    result = connection.get(f"{job}/result").body
    return Run(begun_ns, posted.sent_ns, accepted_ns, ended_ns, time.monotonic_ns(), result, job)


def _wait(connection: Connection, job: str) -> None:
    question = connection.head("GET", job)
    while True:
        progress = Model_pb2.SegmentationProgress.FromString(connection.ask(question, ()).body)
        if progress.Progress == 100:
            return
        if progress.Errors:
            raise JobFailedError(progress.Errors)
        time.sleep(POLL_S)
