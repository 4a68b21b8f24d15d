from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.home import Home
from segint_grpc.serve import record
from segint_grpc.serve.lock import HomeLock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def test_a_record_of_this_process_is_read_back(home: Home) -> None:
    path = record.serve_file(home)
    facts = {"http": "127.0.0.1:1", "grpc": "127.0.0.1:2", "socket": "/s"}
    written = replace(record.of(os.getpid(), home, facts), allow=("10.1.2.0/24",), options=("--http", "x"))
    record.write(path, written)
    assert record.read(path) == written


def test_a_record_of_a_process_that_is_gone_counts_for_nothing(home: Home) -> None:
    path = record.serve_file(home)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        record.write(path, record.of(process.pid, home, {}))
        assert record.read(path) is not None
        process.communicate()
    assert record.read(path) is None


def test_a_record_whose_process_id_was_given_to_another_counts_for_nothing(home: Home) -> None:
    path = record.serve_file(home)
    record.write(path, record.Running(os.getpid(), "another boot:1", str(home.path)))
    assert record.read(path) is None


@pytest.mark.parametrize("text", ["", "[]", '{"pid": 1}', "\xff"])
def test_a_damaged_record_counts_for_nothing(home: Home, text: str) -> None:
    path = record.serve_file(home)
    path.write_text(text, encoding="latin-1")
    assert record.read(path) is None


def test_a_process_that_has_ended_but_was_not_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert record.identity(process.pid) == ""
    process.wait()


def test_a_home_is_locked_once(home: Home) -> None:
    with HomeLock(home), pytest.raises(errors.StartRefused, match=f"process {os.getpid()}"), HomeLock(home):
        pass
    with HomeLock(home):
        pass


def test_a_killed_servers_children_are_waited_for_but_not_for_ever(home: Home) -> None:
    with HomeLock(home) as lock:
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, b"1 somebody-else\n", 0)
        with pytest.raises(errors.StartRefused, match="already runs"), HomeLock(home, patience_s=0.0):
            pass
