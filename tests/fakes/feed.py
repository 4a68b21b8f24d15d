"""What a fake core pushes to gateways: the models and every change of a job, as the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc

from generated.segint.v1 import job_pb2
from generated.segint.v1 import segmentation_pb2 as pb


class Feed:
    """The streams that are open. A test may refuse them, hold their first message back, or break them."""

    def __init__(self) -> None:
        self.refused: grpc.StatusCode | None = None
        self.may_begin = asyncio.Event()
        self.may_begin.set()
        self.asked = 0
        self._streams: set[asyncio.Queue[pb.WatchJobsResponse | None]] = set()

    def push(self, news: pb.WatchJobsResponse) -> None:
        for stream in self._streams:
            stream.put_nowait(news)

    def push_job(self, job: job_pb2.JobProgress) -> None:
        self.push(pb.WatchJobsResponse(jobs=[news_of(job)]))

    def end(self) -> None:
        """End every stream, as a core does that stops."""
        for stream in self._streams:
            stream.put_nowait(None)

    async def serve(self, first: pb.WatchJobsResponse) -> AsyncIterator[pb.WatchJobsResponse]:
        """Yield `first` once it may go, then what is pushed, until `end`."""
        queue: asyncio.Queue[pb.WatchJobsResponse | None] = asyncio.Queue()
        self._streams.add(queue)
        try:
            await self.may_begin.wait()
            yield first
            while (news := await queue.get()) is not None:
                yield news
        finally:
            self._streams.discard(queue)


def news_of(job: job_pb2.JobProgress) -> pb.JobNews:
    return pb.JobNews(segmentation_id=job.segmentation_id, model_id=job.model_id, progress=job.progress)
