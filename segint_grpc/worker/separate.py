"""A model process beside the slots: for the gate, whose runs must neither wait for jobs nor delay them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from segint_grpc import errors
from segint_grpc.domain.jobs import Result
from segint_grpc.worker.model_process import ModelProcess, Report
from segint_grpc.worker.task import ModelTask, RunTask

_DONE = "The check is over."


class SeparateProcess:
    """Runs tasks of one model in a process that nobody else uses; a context manager that ends it.

    A process whose run failed is never used again, as in the pool: the next run gets a new one, and it
    loads the model again. It belongs to no slot and is never kept warm.
    """

    def __init__(self, fork: Callable[[ModelTask], Awaitable[ModelProcess]]) -> None:
        """Get processes from `fork`, the first when something is run."""
        self._fork = fork
        self._process: ModelProcess | None = None

    async def run(self, task: RunTask, report: Report) -> Result:
        """Run `task`; raises as `WorkerPool.run`. A cancelled caller has the process killed."""
        if self._process is None or self._process.spent or self._process.exited.done():
            self._process = await self._fork(task.model)
        try:
            return await self._process.run(task, report)
        except BaseException:
            await self._end()
            raise

    async def __aenter__(self) -> Self:
        """Return this, with no process yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill the process, if there is one, and wait until it is dead."""
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end(errors.RunCutShort(_DONE))
