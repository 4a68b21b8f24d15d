"""The pool of model processes: one process is one loaded model, kept warm while there is room.

A slot is the right to run one job at a time, and its holder the dispatcher's affair. A process belongs to
one state of one model (`model_key`) for life: nothing leaks from a model into another, an edited module is
loaded anew, and the memory of a model that goes really comes back, because its process ends.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from generated.radiomics import Model_pb2
from segint_grpc import errors, interpreters
from segint_grpc.backends import gpus
from segint_grpc.domain.jobs import Result
from segint_grpc.guests.outside import Interpreter
from segint_grpc.home import Home
from segint_grpc.settings import Settings
from segint_grpc.worker import kernel, machine
from segint_grpc.worker.fork_server import ForkServer, start_guest
from segint_grpc.worker.guest_nursery import GuestNursery
from segint_grpc.worker.model_key import model_key
from segint_grpc.worker.model_process import ModelProcess, Report
from segint_grpc.worker.nursery import Nursery
from segint_grpc.worker.separate import SeparateProcess
from segint_grpc.worker.task import LoadTask, ModelTask, RunTask

_log = logging.getLogger(__name__)

SEPARATE_NICE = 10
"""How much a process beside the slots stands back (nice(2)): it then gets about a tenth of a job's share."""


@dataclass(frozen=True)
class PoolOptions:
    """What bounds the pool; every number is resolved: 0 means 0.

    `memory_bytes` is what a model's process may map beyond the libraries that it starts with.
    """

    slots: int
    memory_bytes: int
    warm_models_max: int
    warm_memory_bytes: int
    log: Path
    log_max_bytes: int
    interpreters: Mapping[str, str] = field(default_factory=dict)
    """Name → path of the Pythons, beside the server's own, in which models may run."""

    @classmethod
    def of(cls, settings: Settings, home: Home) -> Self:
        """Return the options for `settings` on this machine."""
        memory_bytes = machine.memory_bytes()
        return cls(
            slots=machine.slots(settings.slots),
            memory_bytes=settings.slot_memory_bytes or memory_bytes,
            warm_models_max=settings.warm_models_max,
            warm_memory_bytes=settings.warm_memory_bytes or memory_bytes // 2,
            log=home.logs / "models.log",
            log_max_bytes=settings.log_max_bytes,
            interpreters=settings.interpreter_paths,
        )


@dataclass(frozen=True)
class Loaded:
    """A loaded model: its version's id, its process and the memory (bytes) that the process holds."""

    version_id: str
    pid: int
    memory_bytes: int
    busy: bool


@dataclass(eq=False)
class _Seat:
    """A model process and whose it is; `number` is none that another one has, and as low as can be."""

    process: ModelProcess
    key: Hashable
    version_id: str
    number: int
    gpu_memory_bytes: int = 0
    retired: bool = False


class WorkerPool:
    """Runs jobs in model processes. An async context manager; on leaving, every process has ended."""

    def __init__(self, server: ForkServer, options: PoolOptions) -> None:
        """Take over `server` (from `fork_server.start`), which is closed with the pool."""
        limits = {
            "memory_bytes": options.memory_bytes,
            "log_max_bytes": options.log_max_bytes,
            "threads": machine.threads(options.slots),
        }
        self.options = options
        self._nursery = Nursery(server, options.log, limits)
        self._guests = {
            name: _guests(Interpreter(name, path), options.log, limits)
            for name, path in options.interpreters.items()
        }
        self._busy: list[_Seat] = []
        self._idle: list[_Seat] = []
        self._numbers: set[int] = set()

    async def __aenter__(self) -> Self:
        """Begin to probe the fork server, without waiting for it (see `ready`, `wait_ready`)."""
        self._nursery.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill every process (runs see RunCutShort) and end the fork servers."""
        await self._nursery.close()
        for guests in self._guests.values():
            await guests.close()

    async def run(self, slot: str, task: RunTask, report: Report) -> Result:
        """Run `task` for `slot`, calling `report(stage, share)` as it goes on.

        A cancelled caller has the process killed (SIGKILL) and waits for its death. A process whose run
        failed in any way is never used again.

        Raises:
            JobFailure: the model failed, died or returned no masks (a subclass says which).
            RunCutShort: the process was killed from outside, or the server ends.
        """
        return (await self._served(slot, task, report))[1]

    async def warm_up(self, task: LoadTask) -> tuple[Loaded, Result]:
        """Load a model before its first job, beside the slots; raises as `run`.

        It is kept as after a job: as long as there is room, the others that are idle going first. The result
        has what was measured, where it was not loaded already, and what was remarked.
        """
        seat, result = await self._served("", task, lambda stage, share: None)
        pid = seat.process.pid
        return Loaded(seat.version_id, pid, kernel.resident_bytes(pid), busy=False), result

    async def _served(self, slot: str, task: RunTask | LoadTask, report: Report) -> tuple[_Seat, Result]:
        seat = await self._take_seat(task.model)
        self._busy.append(seat)
        try:
            result = await seat.process.run(task, report)
        except BaseException as error:
            facts = {"slot": slot, "pid": seat.process.pid, "cause": type(error).__name__}
            _log.info("A run ends its process.", extra=facts)
            await seat.process.end(errors.RunCutShort("The run was given up."))
            raise
        finally:
            self._busy.remove(seat)
        seat.gpu_memory_bytes = result.load.gpu_memory_bytes if result.load else seat.gpu_memory_bytes
        self._keep(seat)
        return seat, result

    def separate(self) -> SeparateProcess:
        """Return what runs tasks of one model beside the slots, in a process that ends with its context.

        It yields the processor to jobs, and may take no more memory than is free when it starts.
        """

        async def fork(model: ModelTask) -> ModelProcess:
            memory_bytes = min(self.options.memory_bytes, machine.free_bytes())
            nursery = self._nursery_of(model)
            return await nursery.fork(memory_bytes=memory_bytes, nice=SEPARATE_NICE)

        return SeparateProcess(fork)

    def ready(self) -> bool:
        """Return True while model processes can be started: one was, since the fork server last started."""
        return self._nursery.ready.is_set()

    async def wait_ready(self) -> None:
        """Return once `ready()` is True."""
        await self._nursery.ready.wait()

    async def forget(self, version_id: str) -> int:
        """End the processes of a version: the idle ones now, the busy ones after their job.

        Returns how many were idle.
        """
        for seat in self._busy:
            seat.retired = seat.retired or seat.version_id == version_id
        idle = [seat for seat in self._idle if seat.version_id == version_id]
        for seat in idle:
            await self._dismiss(seat)
        return len(idle)

    def loaded(self) -> list[Loaded]:
        """Return what is loaded, busy processes first, then those longest idle."""
        seats = [(seat, True) for seat in self._busy] + [(seat, False) for seat in self._idle]
        return [
            Loaded(seat.version_id, seat.process.pid, kernel.resident_bytes(seat.process.pid), busy)
            for seat, busy in seats
            if seat.process.pid
        ]

    def idle_versions(self) -> list[str]:
        """Return the ids of the versions that are loaded and wait for a job, those longest idle first."""
        return [seat.version_id for seat in self._idle]

    async def _take_seat(self, model: ModelTask) -> _Seat:
        nursery = self._nursery_of(model)
        key = (model_key(model), nursery.stamp())
        for seat in reversed(self._idle):
            if seat.key == key:
                self._idle.remove(seat)
                return seat
        while self._idle and self._memory_bytes() > self.options.warm_memory_bytes:
            await self._dismiss(self._idle[0])
        await self._free_gpu(model)
        version_id = Model_pb2.ModelVersion.FromString(model.version).ID
        number = next(number for number in itertools.count() if number not in self._numbers)
        self._numbers.add(number)
        try:
            process = await nursery.fork(memory_bytes=self._allowed_bytes(model), seat=number)
        except BaseException:
            self._numbers.discard(number)
            raise
        seat = _Seat(process, key, version_id, number)
        process.exited.add_done_callback(lambda _: self._vacate(seat))
        return seat

    def _nursery_of(self, model: ModelTask) -> Nursery | GuestNursery:
        if not model.interpreter:
            return self._nursery
        if model.interpreter not in self._guests:
            # The setting has changed since the job was taken.
            try:
                interpreters.path_of(model.interpreter, self.options.interpreters)
            except errors.InvalidModel as error:
                raise errors.ModelFailure(error.message) from None
        return self._guests[model.interpreter]

    async def _free_gpu(self, model: ModelTask) -> None:
        """End idle processes, those longest idle first, until a GPU has free what `model` says it needs."""
        if model.parameters.get("device") == "cpu":
            return
        while model.gpu_memory_bytes and any(seat.gpu_memory_bytes for seat in self._idle):
            free = await asyncio.to_thread(gpus.free_bytes)
            holders = [seat for seat in self._idle if seat.gpu_memory_bytes]
            if not free or max(free.values()) >= model.gpu_memory_bytes or not holders:
                return
            await self._dismiss(holders[0])

    def _allowed_bytes(self, model: ModelTask) -> int:
        return min(model.memory_bytes or self.options.memory_bytes, self.options.memory_bytes)

    def _keep(self, seat: _Seat) -> None:
        if seat.process.spent or seat.process.exited.done():
            return
        self._idle.append(seat)
        if seat.retired:
            self._release(seat)
        while len(self._idle) > self.options.warm_models_max:
            self._release(self._idle[0])
        # An ended process gives its memory back a moment later, so what it held is reckoned off here.
        surplus = self._memory_bytes() - self.options.warm_memory_bytes
        while surplus > 0 and self._idle:
            surplus -= kernel.resident_bytes(self._idle[0].process.pid)
            self._release(self._idle[0])

    def _vacate(self, seat: _Seat) -> None:
        self._numbers.discard(seat.number)
        self._strike(seat)

    def _strike(self, seat: _Seat) -> None:
        if seat in self._idle:
            self._idle.remove(seat)

    async def _dismiss(self, seat: _Seat) -> None:
        self._release(seat)
        await seat.process.end(errors.RunCutShort("The model was unloaded."))

    def _release(self, seat: _Seat) -> None:
        self._strike(seat)
        seat.process.kill(errors.RunCutShort("The model was unloaded."))

    def _memory_bytes(self) -> int:
        return sum(kernel.resident_bytes(seat.process.pid) for seat in self._busy + self._idle)


def _guests(interpreter: Interpreter, log: Path, limits: dict[str, int]) -> GuestNursery:
    threads = limits["threads"]
    return GuestNursery(interpreter, lambda: start_guest(interpreter, threads), log, limits)
