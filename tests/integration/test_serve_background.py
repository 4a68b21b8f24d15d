"""segint_run and segint_kill, with stand-ins for core and gateway."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from segint_grpc import errors
from segint_grpc.cli import serve as commands
from segint_grpc.home import Home
from segint_grpc.serve import background, record
from tests.fakes.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    background.stop(home)


@pytest.fixture
def serve(journal: Journal, home: Home) -> tuple[str, ...]:
    settings = (f"home={home.path}", "http=127.0.0.1:0", "grpc=127.0.0.1:0")
    return (sys.executable, "-m", "tests.fakes.serve_stand_ins", str(journal.path), *settings)


def test_it_returns_when_the_server_is_ready_and_that_goes_on(home: Home, serve: tuple[str, ...]) -> None:
    running, fresh = background.start(home, [], serve)
    assert fresh
    assert running == record.read(record.serve_file(home))
    assert os.getsid(running.pid) == running.pid


def test_a_second_run_starts_nothing(home: Home, serve: tuple[str, ...]) -> None:
    first, _ = background.start(home, [], serve)
    assert background.start(home, [], serve) == (first, False)


def test_kill_stops_what_run_started(home: Home, serve: tuple[str, ...], journal: Journal) -> None:
    running, _ = background.start(home, [], serve)
    assert background.stop(home) == running
    assert record.identity(running.pid) == ""
    journal.wait_for("core", "told")
    assert list(home.run.glob("*.json")) == []


def test_kill_leaves_alone_what_run_did_not_start(home: Home) -> None:
    home.create()
    bystander = record.Running(os.getpid(), "another boot:1", str(home.path))
    record.write(record.background_file(home), bystander)
    assert background.stop(home) is None


def test_kill_where_nothing_runs_says_so(home: Home) -> None:
    result = CliRunner().invoke(commands.kill, ["--home", str(home.path)])
    assert result.exit_code == 0
    assert result.output == f"Nothing that segint_run started is running in {home.path}.\n"


def test_a_server_that_does_not_stop_is_killed(home: Home, serve: tuple[str, ...]) -> None:
    running, _ = background.start(home, [], serve)
    os.kill(running.pid, signal.SIGSTOP)
    background.stop(home, patience_s=0.1)
    assert record.identity(running.pid) == ""


def test_a_server_that_refuses_is_quoted(home: Home, serve: tuple[str, ...]) -> None:
    with pytest.raises(errors.StartRefused, match=r"^http must be HOST:PORT, such as"):
        background.start(home, [], (*serve, "http=nonsense"))


def test_run_takes_what_serve_takes_and_says_why_it_does_not_start(home: Home) -> None:
    arguments = ["--home", str(home.path), "--http", "0.0.0.0:0", "--grpc", "127.0.0.1:0"]
    result = CliRunner().invoke(commands.run, arguments)
    assert result.exit_code == 2
    assert result.output.startswith("segint: http 0.0.0.0:0 would let every machine")
