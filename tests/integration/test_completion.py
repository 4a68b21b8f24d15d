"""Completion as a shell asks for it: the words so far in the environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from segint_grpc.cli.main import main
from segint_grpc.client.access import Access
from tests.fakes.cores import SAMPLE, RunningCore, running_core
from tests.fakes.stores import make_home

SEGINT = str(Path(sys.executable).parent / "segint")


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


async def completed(home: Path, words: str) -> list[str]:
    """Return what bash would offer after `words`, with the last one being typed."""
    words = f"segint {words}"
    asked = {"_SEGINT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    environment = {**os.environ, **asked, "SEGINT_HOME": str(home)}
    done = await asyncio.to_thread(
        subprocess.run, [SEGINT], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


async def test_the_shell_offers_commands_versions_families_and_jobs(core: RunningCore) -> None:
    job = core.add_waiting()
    home = core.home.path
    assert await completed(home, "doc") == ["doctor"]
    assert await completed(home, "model activate Cen") == [SAMPLE]
    assert await completed(home, "model get Cen") == ["Centered Square"]
    assert await completed(home, f"job show {job.id[:8]}") == [job.id]
    assert await completed(home, "job retry --model Cen") == [SAMPLE]


async def test_the_shell_offers_tokens_and_users(core: RunningCore) -> None:
    home = core.home.path
    with Access(core.home) as access:
        make_token = partial(access.create_token, "x", "client")
        token = (await asyncio.to_thread(make_token)).token.id
        await asyncio.to_thread(access.create_user, "ada", "admin", "nine slow green rivers")
    assert await completed(home, f"token revoke {token[:3]}") == [token]
    assert await completed(home, "user disable a") == ["ada"]


async def test_without_a_server_nothing_is_offered_and_nothing_is_said(tmp_path: Path) -> None:
    assert await completed(make_home(tmp_path).path, "model activate Cen") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_where_to_put_it_and_is_one_for_that_shell(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    printed = CliRunner().invoke(main, ["completion", shell])
    assert printed.exit_code == 0
    assert f"# To keep it: segint completion {shell} > ~/" in printed.output
    assert f"_SEGINT_COMPLETE={shell}_complete" in printed.output
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=printed.output, text=True, check=True)
