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


def test_a_second_run_with_other_options_is_refused(home: Home, serve: tuple[str, ...]) -> None:
    options = ("log_level=DEBUG",)
    first, _ = background.start(home, options, serve)
    assert background.start(home, options, serve) == (first, False)
    assert background.start(home, [], serve) == (first, False)
    with pytest.raises(errors.StartRefused, match="started with log_level=DEBUG; stop it with segint_kill"):
        background.start(home, ("log_level=INFO",), serve)


def test_the_networks_that_a_running_server_lets_in_are_those_that_it_was_started_with(
    home: Home, serve: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    background.start(home, ["allow=10.1.2.0/24", "http=0.0.0.0:0"], serve)
    monkeypatch.setenv("SEGINT_ALLOW", "10.9.0.0/16")
    result = CliRunner().invoke(commands.run, ["--home", str(home.path)])
    assert result.exit_code == 0, result.output
    assert "already runs in the background" in result.output
    assert "Let in: 10.1.2.0/24; everybody else is refused." in result.output
    assert f"segint_kill --home {home.path}" in result.output.splitlines()[-1]


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


def test_kill_says_of_a_server_that_run_did_not_start_that_it_is_there(home: Home) -> None:
    home.create()
    record.write(record.serve_file(home), record.of(os.getpid(), home, {}))
    result = CliRunner().invoke(commands.kill, ["--home", str(home.path)])
    assert result.exit_code == 0
    assert f"(process {os.getpid()}) was not started by segint_run" in result.output


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
