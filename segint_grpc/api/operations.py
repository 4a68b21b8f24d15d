"""segint.v1.Operations: what monitoring asks for, and backups."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import grpc

from generated.segint.v1 import operations_pb2, operations_pb2_grpc
from segint_grpc.api.segmentation import STATES
from segint_grpc.domain.jobs import JobState
from segint_grpc.service.backups import Backups
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.dispatcher import Dispatcher
from segint_grpc.service.figures import BUCKETS_S, Figures

Context = grpc.aio.ServicerContext[Any, Any]


class LoadedModel(Protocol):
    """A model in memory: its version's id, its memory (bytes), and whether it runs a job."""

    @property
    def version_id(self) -> str:
        """A ModelVersion.ID."""

    @property
    def memory_bytes(self) -> int:
        """What its process holds."""

    @property
    def busy(self) -> bool:
        """It runs a job now."""


class OperationsServicer(operations_pb2_grpc.OperationsServicer):
    """Figures of the core as it is now."""

    def __init__(
        self,
        context: ServiceContext,
        dispatcher: Dispatcher,
        loaded: Callable[[], Sequence[LoadedModel]],
        backups: Backups,
    ) -> None:
        """Answer from the store, the counters, the slots, `backups`, and what `loaded` says is in memory."""
        self._backups = backups
        self._context = context
        self._dispatcher = dispatcher
        self._loaded = loaded

    async def GetFigures(
        self, request: operations_pb2.GetFiguresRequest, context: Context
    ) -> operations_pb2.GetFiguresResponse:
        """Jobs, queue, stages, slots and loaded models."""
        counts = await self._context.hop.run(self._context.store.jobs.counts)
        figures = self._context.figures
        disk_bytes, free_bytes = await self._context.hop.run(self._context.store.media.disk_bytes)
        return operations_pb2.GetFiguresResponse(
            jobs=[
                operations_pb2.JobCount(model_id=model_id, state=STATES[state], count=count)
                for (model_id, state), count in counts.items()
            ],
            queue_length=sum(n for (_, state), n in counts.items() if state is JobState.QUEUED),
            stages=_stages(figures),
            slots=self._dispatcher.slots,
            slots_busy=self._dispatcher.busy,
            bytes_received=figures.bytes_received,
            bytes_sent=figures.bytes_sent,
            loaded=[
                operations_pb2.LoadedModel(
                    model_id=model.version_id, memory_bytes=model.memory_bytes, busy=model.busy
                )
                for model in self._loaded()
            ],
            disk_free_bytes=free_bytes,
            disk_bytes=disk_bytes,
        )

    async def Backup(
        self, request: operations_pb2.BackupRequest, context: Context
    ) -> AsyncIterator[operations_pb2.BackupResponse]:
        """Stream a backup."""
        digest, size_bytes = hashlib.sha256(), 0
        async with aclosing(self._backups.make(request.with_jobs, request.passphrase)) as parts:
            async for part in parts:
                if isinstance(part, int):
                    header = operations_pb2.BackupHeader(about_bytes=part)
                    yield operations_pb2.BackupResponse(header=header)
                    continue
                digest.update(part)
                size_bytes += len(part)
                yield operations_pb2.BackupResponse(chunk=part)
        trailer = operations_pb2.BackupTrailer(size_bytes=size_bytes, sha256=digest.hexdigest())
        yield operations_pb2.BackupResponse(trailer=trailer)


def _stages(figures: Figures) -> list[operations_pb2.StageDuration]:
    return [
        operations_pb2.StageDuration(
            stage=stage,
            count=histogram.count,
            sum_s=histogram.sum_s,
            buckets=[
                operations_pb2.Bucket(upper_s=upper_s, count=count)
                for upper_s, count in zip(BUCKETS_S, histogram.counts, strict=True)
            ],
        )
        for stage, histogram in figures.stages.items()
    ]
