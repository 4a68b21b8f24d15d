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


async def test_the_view_follows_the_server_also_past_a_restart_until_ctrl_c(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    async with running_core(home) as core:
        terminal = await asyncio.to_thread(Terminal, "--every", "0.2", "--home", str(home.path))
        await asyncio.to_thread(terminal.wait_for, "Slots: 0 of 1 busy · 0 waiting")
        await asyncio.to_thread(terminal.wait_for, core.add_waiting().id)
    await asyncio.to_thread(terminal.wait_for, "No server runs on the home")
    async with running_core(home):
        await asyncio.to_thread(terminal.wait_for, "Slots: ")
        assert await asyncio.to_thread(terminal.interrupt) == 0
    assert "Traceback" not in terminal.shown
    assert "Aborted" not in terminal.shown


def on_a_terminal(*words: str) -> str:
    """Run the command on a terminal to its end; return what it showed."""
    terminal = Terminal(*words)
    assert terminal.end() == 0, terminal.shown
    return terminal.shown


class Terminal:
    """A terminal of 100 columns with `segint status` in it, and all that it has shown."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        command = (sys.executable, "-m", "segint_grpc.cli.main", "status", *words)
        # Whoever leads a session and opens a terminal gets its Ctrl-C.
        shell = ("sh", "-c", 'exec <"$0" >"$0" 2>&1; exec "$@"', os.ttyname(theirs), *command)
        environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
        self._process = subprocess.Popen(shell, start_new_session=True, env=environment, pass_fds=(theirs,))
        os.close(theirs)
        self.shown, self._seen = "", 0

    def wait_for(self, words: str) -> None:
        """Read on until `words` are shown, anew since the last wait."""
        while words not in self.shown[self._seen :]:
            assert self._read(), self.shown
        self._seen = len(self.shown)

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit status."""
        os.write(self._ours, b"\x03")
        return self.end()

    def end(self) -> int:
        """Read to the end; return the exit status."""
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(10)

    def _read(self) -> bool:
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # Linux says EIO once the other end is closed.
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


async def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    result = await status(make_home(tmp_path))
    assert result.exit_code == 1
    assert "segint serve --home" in result.stderr
