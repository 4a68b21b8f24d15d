"""A whole core in this process, doors and store and slots, with a channel to its unix socket."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from generated.segint.v1 import segmentation_pb2
from generated.segint.v1.jobs_pb2_grpc import JobsStub
from generated.segint.v1.segmentation_pb2_grpc import SegmentationStub
from segint_grpc.domain.jobs import Job
from segint_grpc.home import Home, unix_target
from segint_grpc.server import core
from segint_grpc.settings import Settings
from segint_grpc.store.store import Store, open_store
from segint_grpc.worker import fork_server
from tests.fakes.stores import new_job

SAMPLE = "Centered Orange Square"


@dataclass
class RunningCore:
    """A core that answers, and a second way into its store, for what no client can bring about."""

    home: Home
    tcp: str
    jobs: JobsStub
    segmentation: SegmentationStub
    store: Store

    async def submit(self, body: bytes, model_id: str = SAMPLE, caller: str = "192.0.2.7") -> str:
        """Post `body`; return the job's id."""
        header = segmentation_pb2.SubmitHeader(model_id=model_id, caller=caller, size_bytes=len(body))
        requests = [
            segmentation_pb2.SubmitRequest(header=header),
            segmentation_pb2.SubmitRequest(chunk=body),
        ]
        answer = await self.segmentation.Submit(iter(requests))
        return str(answer.task.SegmentationID)

    async def end(self, job_id: str) -> Any:
        """Wait for a job's end; return its last JobProgress."""
        request = segmentation_pb2.WatchProgressRequest(segmentation_id=job_id)
        async for answer in self.segmentation.WatchProgress(request):
            last = answer.job
        return last

    def add_waiting(self, **changes: Any) -> Job:
        """Return a job that waits and that no slot will take."""
        return self.store.jobs.receive(new_job(datetime.now(UTC), **changes), 1000)[0]

    def add_failed(self, body: bytes, model_id: str = SAMPLE) -> Job:
        """Return a job that failed, with its `body` still there."""
        facts = {"body_sha256": hashlib.sha256(body).hexdigest(), "body_bytes": len(body)}
        job = self.add_waiting(model_id=model_id, **facts)
        self.store.media.body_path(job.id).write_bytes(body)
        return self.store.jobs.fail_unclaimed(job.id, "InternalError", "The model failed.")


@asynccontextmanager
async def running_core(home: Home, **changes: Any) -> AsyncIterator[RunningCore]:
    """Run a core on `home` while the context lasts, with one slot and any other settings."""
    facts = {"home": str(home.path), "grpc": "127.0.0.1:0", "slots": 1, "stop_grace_s": 1}
    settings = Settings(**(facts | {"free_disk_min_bytes": 0} | changes))
    async with (
        core(settings, home, fork_server.start()) as addresses,
        grpc.aio.insecure_channel(unix_target(home.admin_socket)) as channel,
    ):
        with open_store(home) as store:
            yield RunningCore(home, addresses["grpc"], JobsStub(channel), SegmentationStub(channel), store)
