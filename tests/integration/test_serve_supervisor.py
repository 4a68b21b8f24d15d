"""The supervisor with real child processes that do nothing but live and die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.serve.process import ChildCommand
from segint_grpc.serve.record import identity
from segint_grpc.serve.supervisor import Patience, Supervisor
from tests.fakes.journal import Journal, Line

QUICK = Patience(pause_s=0.01, pause_max_s=0.04, healthy_s=60.0, ready_s=20.0, first_tries=2)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def stand_in(journal: Journal, name: str, *flags: str, **fields: object) -> ChildCommand:
    command = (sys.executable, "-m", "tests.fakes.stand_in", name, "--journal", str(journal.path), *flags)
    return ChildCommand(name=name, command=command, **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def running(*commands: ChildCommand, patience: Patience = QUICK) -> AsyncIterator[dict[str, str]]:
    """Run a supervisor over the body, which begins when every child is ready."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(Supervisor(commands, patience).run(stop, ready.set_result))
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield (ready.result() if ready.done() else {})
    finally:
        stop.set()
        await task


async def next_line(journal: Journal, name: str, event: str) -> Line:
    return await asyncio.to_thread(journal.wait_for, name, event)


async def test_children_start_in_order_and_stop_in_reverse(journal: Journal) -> None:
    async with running(stand_in(journal, "core"), stand_in(journal, "gateway")):
        pass
    journal.wait_for("core", "told")
    seen = [(line.name, line.event) for line in journal.lines]
    assert seen == [
        ("core", "starts"),
        ("core", "ready"),
        ("gateway", "starts"),
        ("gateway", "ready"),
        ("gateway", "told"),
        ("core", "told"),
    ]


async def test_a_child_that_is_killed_is_started_again_and_its_neighbour_is_left_alone(
    journal: Journal,
) -> None:
    async with running(stand_in(journal, "core"), stand_in(journal, "gateway")):
        first = journal.wait_for("core", "ready")
        os.kill(first.pid, signal.SIGKILL)
        again = await next_line(journal, "core", "ready")
        assert again.pid != first.pid
    assert [line.name for line in journal.lines if line.event == "starts"].count("gateway") == 1


async def test_a_child_that_took_a_free_port_keeps_it_when_it_is_started_again(journal: Journal) -> None:
    command = stand_in(
        journal,
        "gateway",
        *("--listen", "SEGINT_HTTP", "--echo", "SEGINT_HTTP"),
        environment={"SEGINT_HTTP": "127.0.0.1:0"},
        pins={"http": "SEGINT_HTTP"},
    )
    async with running(command) as facts:
        os.kill(journal.wait_for("gateway", "ready").pid, signal.SIGKILL)
        assert (await next_line(journal, "gateway", "ready")).value == facts["http"]


async def test_restarts_come_with_growing_pauses(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    async with running(stand_in(journal, "core")):
        for _ in range(4):
            os.kill((await next_line(journal, "core", "ready")).pid, signal.SIGKILL)
        await next_line(journal, "core", "ready")
    assert [record.args for record in caplog.records if record.levelname == "WARNING"] == [
        ("core", "signal SIGKILL", pause_s) for pause_s in (0.01, 0.02, 0.04, 0.04)
    ]


async def test_the_pause_is_short_again_after_a_healthy_time(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    at_once_healthy = Patience(pause_s=0.01, pause_max_s=0.04, healthy_s=0.0)
    async with running(stand_in(journal, "core"), patience=at_once_healthy):
        for _ in range(3):
            os.kill((await next_line(journal, "core", "ready")).pid, signal.SIGKILL)
        await next_line(journal, "core", "ready")
    assert {record.args[2] for record in caplog.records if isinstance(record.args, tuple)} == {0.01}


async def test_a_child_that_refuses_is_not_tried_again(
    journal: Journal, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(errors.StartRefused, match="gateway refused to start"):
        async with running(stand_in(journal, "core"), stand_in(journal, "gateway", "--refuse")):
            pass
    journal.wait_for("core", "told")
    assert [line.name for line in journal.lines if line.event == "starts"] == ["core", "gateway"]
    assert "the gateway will not." in capfd.readouterr().err


async def test_a_child_that_never_comes_up_is_given_up_after_a_few_tries(journal: Journal) -> None:
    with pytest.raises(errors.StartRefused, match=r"did not start \(exit code 3, 2 times\)"):
        async with running(stand_in(journal, "core", "--fall")):
            pass


@pytest.mark.parametrize("flag", ["--mute", "--babble"])
async def test_a_child_that_does_not_say_that_it_is_ready_is_killed(journal: Journal, flag: str) -> None:
    patience = Patience(pause_s=0.01, ready_s=1.0, first_tries=1)
    with pytest.raises(errors.StartRefused, match="no sign of being ready"):
        async with running(stand_in(journal, "core", flag), patience=patience):
            pass
    assert identity(journal.wait_for("core", "starts").pid) == ""


async def test_a_program_that_is_not_there_is_given_up(journal: Journal) -> None:
    with pytest.raises(errors.StartRefused, match="No such file"):
        async with running(ChildCommand(name="core", command=("/nowhere/core",))):
            pass


async def test_a_child_that_is_deaf_to_sigterm_is_killed(journal: Journal) -> None:
    async with running(stand_in(journal, "core", "--deaf", stop_s=0.1)):
        child = journal.wait_for("core", "ready")
    assert identity(child.pid) == ""


async def test_stopping_while_a_child_starts_ends_it(journal: Journal) -> None:
    stop = asyncio.Event()
    supervisor = Supervisor([stand_in(journal, "core", "--mute")], QUICK)
    task = asyncio.create_task(supervisor.run(stop, lambda facts: pytest.fail("it is never ready")))
    child = await next_line(journal, "core", "starts")
    stop.set()
    await task
    assert identity(child.pid) == ""
