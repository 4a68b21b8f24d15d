"""`segint serve` as a process of its own, with stand-ins for core and gateway."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from segint_grpc.home import Home
from segint_grpc.serve import record
from tests.fakes.journal import Journal

Popen = subprocess.Popen[str]


class Served(NamedTuple):
    process: Popen
    facts: dict[str, str]


Start = Callable[..., Served]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def start(tmp_path: Path, journal: Journal) -> Iterator[Start]:
    """Start a server on the same home and wait for it to be ready, or to end (then there are no facts)."""
    started: list[Popen] = []

    def start(http: str = "127.0.0.1:0", grpc: str = "127.0.0.1:0", **settings: str) -> Served:
        settings = {"home": str(tmp_path / "home"), "http": http, "grpc": grpc, **settings}
        reader, writer = os.pipe()
        given = [f"{name}={value}" for name, value in settings.items()]
        module = ("-m", "tests.fakes.serve_stand_ins", str(journal.path), *given)
        process = subprocess.Popen(
            (sys.executable, *module, "--ready-fd", str(writer)),
            pass_fds=(writer,),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writer)
        started.append(process)
        with os.fdopen(reader) as pipe:
            line = pipe.readline()
        return Served(process, json.loads(line) if line else {})

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for_end(pid: int, timeout_s: float) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([descriptor], [], [], timeout_s)
    os.close(descriptor)
    return bool(ended)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_gateway_then_the_core_and_the_exit_code_is_0(
    start: Start, journal: Journal, number: signal.Signals
) -> None:
    served = start()
    served.process.send_signal(number)
    assert served.process.wait(timeout=10) == 0
    journal.wait_for("core", "told")
    assert [line.name for line in journal.lines if line.event == "told"] == ["gateway", "core"]


def test_while_it_runs_a_record_names_its_process_and_addresses(start: Start, tmp_path: Path) -> None:
    served = start()
    path = record.serve_file(Home(tmp_path / "home"))
    running = record.read(path)
    assert running is not None
    assert (running.pid, running.http) == (served.process.pid, served.facts["http"])
    served.process.terminate()
    served.process.wait(timeout=10)
    assert not path.exists()


def test_it_prints_its_banner_when_it_is_ready(start: Start) -> None:
    served = start()
    served.process.terminate()
    out, _ = served.process.communicate(timeout=10)
    assert out == f"banner {served.facts['http']}\n"


def test_sigkill_of_serve_ends_core_and_gateway_within_two_seconds(start: Start, journal: Journal) -> None:
    served = start()
    children = {name: journal.wait_for(name, "ready").pid for name in ("core", "gateway")}
    served.process.kill()
    assert wait_for_end(children["core"], 2.0)
    assert wait_for_end(children["gateway"], 2.0)


def test_after_sigkill_the_same_home_starts_on_the_same_ports_at_once(start: Start) -> None:
    killed = start()
    killed.process.kill()
    again = start(http=killed.facts["http"], grpc=killed.facts["grpc"])
    assert again.facts == killed.facts


def test_a_second_serve_on_the_home_is_refused_with_a_sentence(start: Start, tmp_path: Path) -> None:
    first = start()
    second = start().process
    _, said = second.communicate(timeout=10)
    assert second.returncode == 2
    assert said.startswith(f"segint: A server already runs in the home {tmp_path / 'home'} ")
    assert f"process {first.process.pid}" in said
    assert first.process.poll() is None


def test_a_second_serve_on_the_port_is_refused_with_a_sentence(start: Start, tmp_path: Path) -> None:
    first = start()
    second = start(home=str(tmp_path / "other"), http=first.facts["http"]).process
    _, said = second.communicate(timeout=10)
    assert second.returncode == 2
    assert f"{first.facts['http']} is in use by another program" in said


def test_listening_to_everybody_is_refused_with_advice(start: Start) -> None:
    process = start(http="0.0.0.0:0").process
    _, said = process.communicate(timeout=10)
    assert process.returncode == 2
    assert "--allow" in said


def test_listening_to_a_named_network_is_not_refused(start: Start) -> None:
    assert start(http="0.0.0.0:0", allow="127.0.0.0/8").facts["http"].startswith("0.0.0.0:")


def test_the_home_is_private(start: Start, tmp_path: Path) -> None:
    start()
    home = Home(tmp_path / "home")
    modes = {path.stat().st_mode & 0o777 for path in home.path.rglob("*") if path.is_file()}
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert modes == {0o600}


def test_a_port_that_another_program_listens_on_is_named(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        process = start(grpc=f"127.0.0.1:{taken}").process
        _, said = process.communicate(timeout=10)
    assert f"--grpc 127.0.0.1:{taken + 1}" in said
