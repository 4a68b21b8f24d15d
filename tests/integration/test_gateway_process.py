"""`python -m http_gateway` as a process: start, refusals to start, logs, memory, stop."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from http_gateway.__main__ import main
from tests.fakes.core import FakeCore, running
from tests.fakes.gateway import AS_PROTOBUF, POST_PATH, in_pieces, job_path, scan

MIB = 1024 * 1024


@contextmanager
def process(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a gateway and yield it with its address, as it told on its ready descriptor."""
    reader, writer = os.pipe()
    command = [
        sys.executable,
        "-m",
        "http_gateway",
        "--home",
        str(home),
        "--http",
        "127.0.0.1:0",
        "--ready-fd",
        str(writer),
        *arguments,
    ]
    with subprocess.Popen(command, pass_fds=[writer], env={**os.environ, **environment}) as gateway:
        os.close(writer)
        with os.fdopen(reader) as pipe:
            address = json.loads(pipe.readline())["http"]
        try:
            yield gateway, address
        finally:
            gateway.kill()


def log_lines(home: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home / "logs" / "gateway.log").read_text().splitlines()]


async def test_it_finds_the_core_in_its_home_and_stops_on_sigterm(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(parents=True)
    core = FakeCore()
    async with running(core, tmp_path / "run" / "gateway.sock"):
        with process(tmp_path) as (gateway, address):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                async with session.get("/ping") as response:
                    assert response.status == 200
                watched = await session.get(job_path(core.job().id, tail="/events"))
                assert watched.status == 200
                gateway.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(gateway.wait, 10) == 0


async def test_the_access_log_follows_a_request_and_tells_nothing_of_the_patient(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(parents=True)
    core = FakeCore()
    async with running(core, tmp_path / "run" / "gateway.sock"):
        with process(tmp_path) as (gateway, address):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                headers = {**AS_PROTOBUF, "X-Request-Id": "posting-1", "User-Agent": "Mrs. X"}
                path = f"{POST_PATH}?patient=4711"
                async with session.post(path, data=scan(), headers=headers) as response:
                    assert response.status == 200
                job_id = next(iter(core.jobs))
                path = job_path(job_id, tail="/result")
                async with session.get(path, headers={"X-Request-Id": "fetching-1"}):
                    pass
            gateway.terminate()
            await asyncio.to_thread(gateway.wait, 10)
    access = [line for line in log_lines(tmp_path) if line["logger"] == "http_gateway.access"]
    posting, fetching = access
    assert (posting["request_id"], posting["job_id"], posting["status"]) == ("posting-1", job_id, 200)
    assert (fetching["request_id"], fetching["job_id"], fetching["method"]) == ("fetching-1", job_id, "GET")
    assert posting["received_bytes"] == len(scan())
    assert posting["peer"] == "127.0.0.1"
    text = (tmp_path / "logs" / "gateway.log").read_text()
    assert "4711" not in text
    assert "Mrs. X" not in text
    assert core.request_ids == ["posting-1", "fetching-1"]


@pytest.mark.parametrize(("level", "lines"), [("INFO", ["no-such-job"]), ("DEBUG", ["poll", "no-such-job"])])
async def test_a_poll_that_goes_well_is_logged_for_debugging_only(
    tmp_path: Path, level: str, lines: list[str]
) -> None:
    (tmp_path / "run").mkdir(parents=True)
    core = FakeCore()
    async with running(core, tmp_path / "run" / "gateway.sock"):
        with process(tmp_path, SEGINT_LOG_LEVEL=level) as (gateway, address):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                for job_id, request_id in ((core.job().id, "poll"), ("nothing", "no-such-job")):
                    async with session.get(job_path(job_id), headers={"X-Request-Id": request_id}):
                        pass
            gateway.terminate()
            await asyncio.to_thread(gateway.wait, 10)
    access = [line for line in log_lines(tmp_path) if line["logger"] == "http_gateway.access"]
    assert [line["request_id"] for line in access] == lines


async def test_an_upload_grows_its_memory_by_few_mebibytes(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(parents=True)
    core = FakeCore()
    core.keep_bodies = False
    core.body_max_bytes = 10**12
    peaks: list[int] = []

    async def body(pid: int) -> AsyncIterator[bytes]:
        async for piece in in_pieces(bytes(96 * MIB)):
            peaks.append(psutil.Process(pid).memory_info().rss)
            yield piece

    async with running(core, tmp_path / "run" / "gateway.sock"):
        with process(tmp_path) as (gateway, address):
            async with aiohttp.ClientSession(f"http://{address}") as session:
                for _ in range(2):
                    async with session.post(
                        POST_PATH, data=body(gateway.pid), headers=AS_PROTOBUF
                    ) as response:
                        assert response.status == 200
    assert core.received_bytes == 2 * 96 * MIB
    assert max(peaks) - peaks[0] <= 16 * MIB


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--http", "0.0.0.0:0"], "--allow"),
        (["--http", "nonsense"], "HOST:PORT"),
        (["--http", "203.0.113.1:80", "--allow", "10.0.0.0/8"], "this machine has no such address"),
        (["--allow", "everybody"], "'everybody'"),
        (["--public-url", "segint"], "public_url"),
        (["--home", "/proc/nowhere"], "--home"),
    ],
)
def test_a_start_that_cannot_be_is_refused_with_a_sentence(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    command = [sys.executable, "-m", "http_gateway", "--home", str(tmp_path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with process(tmp_path / "first") as (_, address):
        done = subprocess.run(
            [sys.executable, "-m", "http_gateway", "--home", str(tmp_path / "second"), "--http", address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "another program listens there already" in done.stderr


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import os, subprocess, sys\n"
        "reader, writer = os.pipe()\n"
        "command = [sys.executable, '-m', 'http_gateway', '--http', '127.0.0.1:0', '--die-with-parent',\n"
        "    '--ready-fd', str(writer), '--home', sys.argv[1]]\n"
        "child = subprocess.Popen(command, pass_fds=[writer])\n"
        "os.read(reader, 100)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_help_explains_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "Networks (CIDR) that may connect" in capsys.readouterr().out


def test_it_may_open_as_many_files_as_its_connections_need(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with process(tmp_path, SEGINT_CONNECTIONS_MAX="400") as (gateway, _):
            assert psutil.Process(gateway.pid).rlimit(psutil.RLIMIT_NOFILE)[0] == 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
