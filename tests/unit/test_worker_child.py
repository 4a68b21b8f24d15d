"""A model process's own side, as far as it can be tried inside the test's process."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segint_grpc import errors
from segint_grpc.worker import child, kernel, machine, messages
from segint_grpc.worker.job_run import JobRun, map_channel
from segint_grpc.worker.task import LoadTask
from tests.fakes.worker_bench import THRESHOLD, Bench, doing, masks


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class Heard(list[dict[str, Any]]):
    """Takes what a run sends."""

    def send(self, line: bytes) -> None:
        self.append(messages.unpack(line))


def test_a_run_says_where_it_is_and_what_it_made(bench: Bench) -> None:
    heard, task = Heard(), bench.task(bench.model(THRESHOLD))
    assert child.serve(JobRun(heard.send), task, 2**30)
    assert [step["stage"] for step in heard[:-1]] == ["load", "prepare", "infer", "encode"]
    assert heard[-1]["kind"] == messages.DONE
    assert heard[-1]["size_bytes"] == task.result.stat().st_size
    assert np.array_equal(masks(task)["1"], bench.image_kji > 100)


def test_a_second_run_uses_the_loaded_model(bench: Bench) -> None:
    heard = Heard()
    run = JobRun(heard.send)
    model = bench.model(doing("Net.runs = getattr(Net, 'runs', 0) + 1; assert Net.runs == 1, Net.runs"))
    assert child.serve(run, bench.task(model), 2**30)
    assert not child.serve(run, bench.task(model), 2**30)
    assert heard[-1]["error"] == "ModelFailure"
    assert "AssertionError" in heard[-1]["text"]


def test_a_run_that_loads_says_what_that_took_and_others_say_nothing(bench: Bench) -> None:
    heard, told = Heard(), []
    run = JobRun(heard.send)
    for task in (LoadTask("r", bench.model(THRESHOLD)), bench.task(bench.model(THRESHOLD))):
        assert child.serve(run, task, 2**30)
        told.append(heard[-1]["load"])
    first, second = told
    assert second is None
    assert first["seconds"] > 0
    assert 10_000_000 < first["memory_bytes"] <= kernel.peak_bytes()
    assert (first["gpu_memory_bytes"], first["device"]) == (0, "cpu")


def test_progress_starts_anew_with_each_job(bench: Bench) -> None:
    heard = Heard()
    run = JobRun(heard.send)
    for _ in range(2):
        assert child.serve(run, bench.task(bench.model(None)), 2**30)
    stages = [step["stage"] for step in heard if step["kind"] == messages.PROGRESS]
    assert [stage for stage in stages if stage in ("load", "prepare")] == ["load", "prepare", "prepare"]


def test_voxels_are_mapped_read_only_with_their_dtype(bench: Bench) -> None:
    for image in (bench.image_kji, bench.image_kji.astype(np.uint8)):
        mapped = map_channel(bench.channel(image)).image_kji
        assert mapped.dtype == image.dtype
        assert np.array_equal(mapped, image)
        with pytest.raises(ValueError, match="read-only"):
            mapped[0, 0, 0] = 1


def test_voxels_of_another_length_are_refused_with_both_lengths(bench: Bench) -> None:
    channel = bench.channel()
    with channel.voxels.open("ab") as file:
        file.write(b"x")
    with pytest.raises(errors.JobFailure, match="hold 3841 bytes instead of 3840"):
        map_channel(channel)
    channel.voxels.unlink()
    with pytest.raises(errors.JobFailure, match="hold 0 bytes"):
        map_channel(channel)


def test_a_process_without_tasks_ends_well(bench: Bench) -> None:
    ours, theirs = socket.socketpair()
    program = (
        "import socket, sys; from segint_grpc.worker import child;"
        "order = dict(log=sys.argv[2], log_max_bytes=1000, memory_bytes=2**30, threads=1);"
        "sys.exit(child.main(socket.socket(fileno=int(sys.argv[1])), order))"
    )
    command = [sys.executable, "-c", program, str(theirs.fileno()), str(bench.folder / "log")]
    with ours, theirs:
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        assert messages.unpack(ours.recv(1000)) == {"kind": messages.READY, "pid": process.pid}
        ours.shutdown(socket.SHUT_WR)
        assert process.wait() == 0


def test_the_log_keeps_what_was_written_until_it_is_too_large(bench: Bench) -> None:
    program = (
        "import os, sys, pathlib; from segint_grpc.worker.child import LogFile;"
        "log = LogFile(pathlib.Path(sys.argv[1]), 10)\n"
        "for text in (b'first', b'second', b'third'): log.attach(); os.write(1, text)"
    )
    subprocess.run([sys.executable, "-c", program, str(bench.folder / "log")], check=True)
    assert (bench.folder / "log.1").read_bytes() == b"firstsecond"
    assert (bench.folder / "log").read_bytes() == b"third"
    assert (bench.folder / "log").stat().st_mode & 0o777 == 0o600


def test_the_memory_limit_leaves_no_core_dumps(bench: Bench) -> None:
    program = (
        "import resource; from segint_grpc.worker import child, kernel; before = kernel.mapped_bytes();"
        "child.limit_memory(2**28); soft, hard = resource.getrlimit(resource.RLIMIT_AS);"
        "assert soft == hard and 0 <= soft - before - 2**28 < 2**26, (soft, before);"
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_where_cuda_may_be_the_limit_is_on_what_is_written_and_works_as_well(bench: Bench) -> None:
    program = (
        "import resource, pathlib, mmap, numpy; from segint_grpc.worker import child;"
        "child.gpus.DRIVER = pathlib.Path('/dev/null'); child.limit_memory(2**28);"
        "reserved = mmap.mmap(-1, 2**31, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)\n"
        "try: numpy.ones(2**29, numpy.uint8)\n"
        "except MemoryError: print('out of memory')"
    )
    made = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert made.stdout == "out of memory\n"


def test_the_kernel_tells_memory_and_children() -> None:
    assert kernel.resident_bytes(os.getpid()) > 1_000_000
    assert kernel.resident_bytes(2**22 + 1) == 0
    kernel.reset_peak()
    assert kernel.peak_bytes() > 1_000_000
    with subprocess.Popen(["sleep", "60"]) as process:
        assert process.pid in kernel.children()
        process.kill()


def test_the_machine_is_shared_out_with_nothing_left_at_zero() -> None:
    assert machine.slots(0) == max(1, machine.cores() // 2)
    assert machine.slots(7) == 7
    assert machine.threads(10_000) == 1
    assert machine.threads(1) == machine.cores()
    assert machine.memory_bytes() > 2**28


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"kind": 3}', b"no json", b"\xff"])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        messages.unpack(line)
