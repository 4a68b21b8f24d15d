from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from segint_grpc import lifeline

TIE = "import sys; from segint_grpc import lifeline; lifeline.die_with_parent({}); print('alive')"


def run(arguments: str, *descriptors: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", TIE.format(arguments)]
    return subprocess.run(command, pass_fds=descriptors, stdout=subprocess.PIPE, text=True, check=False)


def test_a_child_whose_parent_waits_for_it_goes_on() -> None:
    reader, writer = os.pipe()
    done = run(str(writer), writer)
    os.close(reader)
    os.close(writer)
    assert done.stdout == "alive\n"


def test_a_child_that_nobody_waits_for_any_more_ends_at_once() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(str(writer), writer)
    os.close(writer)
    assert done.returncode == -signal.SIGKILL


def test_a_child_of_another_parent_than_expected_ends_at_once() -> None:
    assert run("parent_pid=1").returncode == -signal.SIGKILL
    assert run(f"parent_pid={os.getpid()}").returncode == 0


def test_being_ready_is_one_json_line_and_the_end_of_the_pipe() -> None:
    reader, writer = os.pipe()
    lifeline.announce_ready(writer, {"http": "127.0.0.1:8000"})
    with os.fdopen(reader) as pipe:
        assert pipe.read() == '{"http": "127.0.0.1:8000"}\n'


def test_being_ready_without_anybody_to_tell_is_no_mistake() -> None:
    lifeline.announce_ready(None, {})


def test_being_ready_when_the_listener_is_gone_is_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        lifeline.announce_ready(writer, {})
