"""The core's handle of a model process, with the test at the other end of its socket."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Iterator

import pytest

from segint_grpc import errors
from segint_grpc.domain.jobs import Result
from segint_grpc.home import Home
from segint_grpc.settings import Settings
from segint_grpc.worker import messages
from segint_grpc.worker.model_process import ModelProcess
from segint_grpc.worker.pool import PoolOptions
from tests.fakes.worker_bench import Bench, ignore

MEASURED = {"peak_memory_bytes": 9, "voxels": 8, "volumes_ml": {"1": 0.5}}
DONE = messages.pack(messages.DONE, size_bytes=3, sha256="ab", warnings=["w"], **MEASURED)


class Wire:
    """A process handle, the other end of its connection, and what it ordered to be killed."""

    def __init__(self, bench: Bench) -> None:
        ours, self.theirs = socket.socketpair()
        self.killed: list[int] = []
        self.process = ModelProcess(7, ours, self.kill)
        self.task = bench.task(bench.model(None))

    def kill(self, number: int) -> None:
        self.killed.append(number)
        asyncio.get_running_loop().call_soon(self.process.note_exit, -signal.SIGKILL)

    async def told(self, *lines: bytes) -> Result:
        """What a run ends with after the process has said `lines`."""
        run = asyncio.create_task(self.process.run(self.task, ignore))
        for line in lines:
            await asyncio.get_running_loop().sock_sendall(self.theirs, line)
        return await asyncio.wait_for(run, 5)


@pytest.fixture
async def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    made = Wire(Bench(tmp_path_factory.mktemp("wire")))
    made.theirs.setblocking(False)
    yield made
    made.theirs.close()
    made.process.note_exit(0)


async def test_a_result_is_taken_whatever_the_pieces_it_comes_in(wire: Wire) -> None:
    pieces = [DONE[at : at + 1] for at in range(len(DONE))]
    assert await wire.told(*pieces) == Result(3, "ab", 9, ("w",), 8, {"1": 0.5})


async def test_a_failure_is_raised_as_what_it_is(wire: Wire) -> None:
    with pytest.raises(errors.WrongOutput, match="why"):
        await wire.told(messages.pack(messages.FAILED, error="WrongOutput", text="why"))


@pytest.mark.parametrize("name", ["SegIntError", "StaleLease", "inspect", "no such thing", "__name__"])
async def test_a_process_cannot_have_any_other_error_raised(wire: Wire, name: str) -> None:
    with pytest.raises(errors.ModelFailure, match="why") as caught:
        await wire.told(messages.pack(messages.FAILED, error=name, text="why"))
    assert type(caught.value) is errors.ModelFailure


@pytest.mark.parametrize(
    "line",
    [
        b"no json\n",
        b"[1]\n",
        b'{"kind": "done"}\n',
        b'{"kind": "progress", "share": "x", "stage": "infer"}\n',
    ],
)
async def test_a_process_that_talks_nonsense_is_killed(wire: Wire, line: bytes) -> None:
    with pytest.raises(errors.WorkerDied, match="no message"):
        await wire.told(line)
    assert wire.killed[0] == 7


async def test_a_process_that_never_ends_its_line_is_killed(wire: Wire) -> None:
    with pytest.raises(errors.WorkerDied, match="no message"):
        await wire.told(*[b"x" * 60_000] * 2)


async def test_what_was_said_before_the_end_counts(wire: Wire) -> None:
    run = asyncio.create_task(wire.process.run(wire.task, ignore))
    await asyncio.sleep(0)
    wire.theirs.sendall(DONE)
    wire.process.note_exit(1)
    assert (await run).sha256 == "ab"


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (-signal.SIGSEGV, errors.WorkerDied, "SIGSEGV"),
        (-signal.SIGBUS, errors.WorkerDied, "SIGBUS"),
        (-40, errors.WorkerDied, "signal 40"),
        (-signal.SIGKILL, errors.RunCutShort, "SIGKILL .*memory"),
        (-signal.SIGHUP, errors.RunCutShort, "SIGHUP"),
        (3, errors.RunCutShort, "could not begin"),
        (None, errors.RunCutShort, "fork server"),
    ],
)
async def test_an_end_is_told_by_how_it_came(
    wire: Wire, code: int | None, error: type[errors.SegIntError], words: str
) -> None:
    run = asyncio.create_task(wire.process.run(wire.task, ignore))
    await asyncio.sleep(0)
    wire.process.note_exit(code)
    with pytest.raises(error, match=words):
        await run
    assert not await wire.process.wait_ready(1)
    with pytest.raises(errors.RunCutShort, match="before the job began"):
        await wire.process.run(wire.task, ignore)


async def test_a_process_that_is_slow_to_begin_is_not_ready(wire: Wire) -> None:
    assert not await wire.process.wait_ready(0.01)
    wire.theirs.sendall(messages.pack(messages.READY, pid=12))
    assert await wire.process.wait_ready(1)


def test_the_pools_options_leave_no_number_to_be_guessed(tmp_path_factory: pytest.TempPathFactory) -> None:
    options = PoolOptions.of(Settings(), Home(tmp_path_factory.mktemp("home")))
    assert options.slots >= 1
    assert options.memory_bytes > options.warm_memory_bytes > 0
    assert options.log.name == "models.log"
    chosen = Settings(slots=3, slot_memory_bytes=5, warm_memory_bytes=6)
    options = PoolOptions.of(chosen, Home(tmp_path_factory.mktemp("home")))
    assert (options.slots, options.memory_bytes, options.warm_memory_bytes) == (3, 5, 6)
