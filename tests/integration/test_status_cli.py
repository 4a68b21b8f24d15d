"""`segint status` against a whole core."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from segint_grpc.cli.main import main
from segint_grpc.home import Home
from tests.acceptance.velocity import channel, scan
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import make_home

BODY = scan(channel(np.zeros((4, 8, 16), np.int16))).SerializeToString()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


async def status(home: Home, *words: str) -> Result:
    arguments = ["status", *words, "--home", str(home.path)]
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def test_the_record_tells_of_slots_models_queue_rates_and_disk(core: RunningCore) -> None:
    await core.end(await core.submit(BODY))
    core.add_failed(BODY)
    waiting = core.add_waiting()
    seen = json.loads((await status(core.home, "--json")).output)
    assert (seen["slots"], seen["slots_busy"], seen["running"]) == (1, 0, [])
    assert [job["segmentation_id"] for job in seen["waiting"]] == [waiting.id]
    (model,) = seen["loaded"]
    assert (model["model_id"], model["busy"]) == (SAMPLE, False)
    assert model["memory_bytes"] > 1_000_000
    assert (seen["last_hour"]["succeeded"], seen["last_hour"]["failed"]) == (1, 1)
    assert seen["last_hour"]["median_s"] > 0
    assert 0 < seen["disk_free_bytes"] <= seen["disk_bytes"]


async def test_without_a_terminal_it_prints_lines_once(core: RunningCore) -> None:
    lines = (await status(core.home)).output.splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["slots", "queue", "last hour", "disk"]
    assert lines[0] == "slots\t0 of 1 busy"


async def test_a_terminal_is_shown_a_view(core: RunningCore) -> None:
    await core.end(await core.submit(BODY))
    shown = await asyncio.to_thread(on_a_terminal, "--once", "--home", str(core.home.path))
    assert "Slots: 0 of 1 busy" in shown
    assert SAMPLE in shown
    assert "1 succeeded" in shown


def on_a_terminal(*words: str) -> str:
    """Run the command with a terminal of 100 columns as its stdout; return what it showed."""
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "segint_grpc.cli.main", "status", *words)
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says EIO once the other end is closed.
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert process.returncode == 0, shown
    return shown.decode()


async def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = await status(make_home(tmp_path))
    assert result.exit_code == 1
    assert "segint serve --home" in result.stderr
