"""Running a version for an administrator: its check, and loading it before its first job."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from generated.segint.v1.models_pb2 import CheckVersionResponse
from segint_grpc import errors, logs
from segint_grpc.domain.model_load import ModelLoad
from segint_grpc.service.context import ServiceContext
from segint_grpc.service.gate import Gate
from segint_grpc.service.models import Models
from segint_grpc.service.run_tasks import model_task
from segint_grpc.worker.pool import WorkerPool
from segint_grpc.worker.task import LoadTask

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WarmedUp:
    """How long it took, and what its process holds; `load` is there only where it was not loaded yet."""

    seconds: float
    memory_bytes: int
    load: ModelLoad | None = None


class VersionRuns:
    """Everything that runs a version without a job, offered or not."""

    def __init__(self, context: ServiceContext, models: Models, pool: WorkerPool, gate: Gate) -> None:
        """Run in processes of `pool`; checks are `gate`'s."""
        self._deadline_s = context.settings.job_deadline_s
        self._store = context.store
        self._hop = context.hop
        self._models = models
        self._pool = pool
        self._gate = gate

    async def check(self, version_id: str) -> AsyncGenerator[CheckVersionResponse, None]:
        """Check a version: yield its steps, and its report when that is kept.

        A caller that leaves before the report ends the check, and nothing is kept of it.

        Raises:
            UnknownModel: there is no such version.
            InvalidModel, NotApproved: it cannot run.
            Outdated: what runs it was changed meanwhile.
        """
        model = await self._models.usable(version_id)
        async with aclosing(self._gate.check(model)) as answers:
            async for answer in answers:
                if answer.HasField("report"):
                    await self._models.versions.keep_check(version_id, answer.report)
                yield answer

    async def warm_up(self, version_id: str) -> WarmedUp:
        """Load a version, and keep it loaded as long as there is room.

        Raises:
            UnknownModel, InvalidModel, NotApproved: it is not here, or cannot run.
            JobFailure: it cannot be loaded, or takes longer than a job may.
            Exhausted: nothing may be kept loaded.
        """
        model = await self._models.usable(version_id)
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                loaded, result = await self._pool.warm_up(LoadTask(logs.request_id.get(), model_task(model)))
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"The model was not loaded within {self._deadline_s:g} s (setting job_deadline_s)."
            ) from None
        except errors.RunCutShort as error:
            raise errors.Unavailable(error.message) from None
        if result.load:
            await self._hop.run(self._store.versions.keep_load, version_id, result.load, self._store.now())
        if loaded.pid not in [kept.pid for kept in self._pool.loaded()]:
            why = " ".join(result.warnings) or (
                "the settings warm_models_max and warm_memory_bytes leave no room for it."
            )
            raise errors.Exhausted(f"{version_id!r} can be loaded but not kept so: {why}")
        log.info("version warmed up", extra={"model": version_id, "pid": loaded.pid})
        return WarmedUp(time.monotonic() - began, loaded.memory_bytes, result.load)

    async def unload(self, version_id: str) -> int:
        """End the idle processes of a version, and the busy ones after their job; return how many were idle.

        Raises:
            UnknownModel: there is no such version.
        """
        await self._models.versions.view(version_id)
        return await self._pool.forget(version_id)
