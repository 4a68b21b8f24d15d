"""The pool of model processes: one process is one loaded model, kept warm while there is room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from segint_grpc.domain.jobs import Result
from segint_grpc.home import Home
from segint_grpc.settings import Settings
from segint_grpc.worker.fork_server import ForkServer
from segint_grpc.worker.task import RunTask

Report = Callable[[int, str], None]


@dataclass(frozen=True)
class PoolOptions:
    """What bounds the pool; every number is resolved (no 0 that stands for a default)."""

    slots: int
    memory_bytes: int
    warm_models_max: int
    warm_memory_bytes: int
    log: Path
    log_max_bytes: int

    @classmethod
    def of(cls, settings: Settings, home: Home) -> Self:
        """Return the options for `settings` on this machine."""
        raise NotImplementedError


@dataclass(frozen=True)
class Loaded:
    """A model that is loaded: its version's id, its process and the memory (bytes) that is its own."""

    version_id: str
    pid: int
    memory_bytes: int
    busy: bool


class WorkerPool:
    """Runs jobs in model processes. An async context manager; on leaving, every process has ended."""

    def __init__(self, server: ForkServer, options: PoolOptions) -> None:
        """Take over `server` (from `fork_server.start`), which is closed with the pool."""

    async def __aenter__(self) -> Self:
        """Begin to probe the fork server (without waiting for it: see `ready`, `wait_ready`)."""
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill every process, running jobs included (they see RunCutShort), and end the fork server."""

    async def run(self, slot: str, task: RunTask, report: Report) -> Result:
        """Run `task`, calling `report(percent, stage)`; a cancelled caller kills the process (SIGKILL).

        Raises:
            JobFailure: the model failed, died or returned no masks (a subclass says which).
            RunCutShort: the process was killed from outside, or the fork server was.
        """
        raise NotImplementedError

    def ready(self) -> bool:
        """Return True while model processes can be started."""
        raise NotImplementedError

    async def wait_ready(self) -> None:
        """Return once `ready()` is True."""

    async def forget(self, version_id: str) -> None:
        """End the idle processes of a version; busy ones end after their job."""

    def loaded(self) -> list[Loaded]:
        """Return what is loaded, busy processes first."""
        raise NotImplementedError
