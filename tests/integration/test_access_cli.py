"""`segint token`, `segint user`, and `--server`: the command line against a whole core."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segint_grpc.cli.main import main
from segint_grpc.domain.tokens import id_of
from tests.fakes.cores import RunningCore, running_core
from tests.fakes.stores import make_home

PASSWORD = "nine slow green rivers"


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        yield core


async def segint(*words: str, typed: str = "", **environment: str) -> Result:
    runner = CliRunner(env={"SEGINT_TOKEN": None, "SEGINT_GRPC_SERVER": None} | environment)
    return await asyncio.to_thread(runner.invoke, main, words, input=typed)


async def at_home(core: RunningCore, *words: str, typed: str = "") -> Result:
    return await segint(*words, "--home", str(core.home.path), typed=typed)


async def token(core: RunningCore, *words: str) -> str:
    made = await at_home(core, "token", "create", "test", *words)
    assert made.exit_code == 0, made.output
    return str(made.stdout.strip())


async def test_a_token_is_printed_alone_and_once(core: RunningCore) -> None:
    made = await at_home(core, "token", "create", "Velocity, room 3", "--jobs", "5", "--expires", "90d")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    token_id = id_of(secret)
    assert token_id
    assert "cannot be shown again" in made.stderr
    listed = await at_home(core, "token", "list")
    (line,) = listed.stdout.splitlines()
    assert line.split("\t")[:4] == [token_id, "Velocity, room 3", "client", "valid"]
    assert line.endswith("5 jobs")
    assert secret not in listed.output
    assert secret.split("_", 2)[2] not in (await at_home(core, "token", "list", "--json")).output


async def test_a_token_for_good_has_no_expiry(core: RunningCore) -> None:
    made = json.loads((await at_home(core, "token", "create", "x", "--expires", "never", "--json")).stdout)
    assert id_of(made["secret"]) == made["token"]["id"]
    assert "expires_at" not in made["token"]


@pytest.mark.parametrize("words", [("--expires", "soon"), ("--expires", "2020-01-01"), ("--scope", "god")])
async def test_a_token_that_makes_no_sense_is_refused_with_a_sentence(
    core: RunningCore, words: tuple[str, ...]
) -> None:
    made = await at_home(core, "token", "create", "x", *words)
    assert made.exit_code == 2
    assert made.stdout == ""
    assert "Traceback" not in made.stderr


async def test_a_revoked_token_is_listed_only_when_all_are(core: RunningCore) -> None:
    token_id = id_of(await token(core)) or ""
    revoked = await at_home(core, "token", "revoke", token_id)
    assert revoked.stdout == f"Revoked {token_id} (test).\n"
    assert (await at_home(core, "token", "list")).stdout == ""
    assert "\trevoked\t" in (await at_home(core, "token", "list", "--all")).stdout
    unknown = await at_home(core, "token", "revoke", "nothing0")
    assert unknown.exit_code == 2
    assert "segint token list" in unknown.stderr


async def test_users_are_made_listed_and_changed(core: RunningCore) -> None:
    words = ("--scope", "operator", "--password-file", "-")
    made = await at_home(core, "user", "create", "ada", *words, typed=f"{PASSWORD}\n")
    assert made.stdout == "Made the user ada (operator).\n"
    await at_home(core, "user", "password", "ada", "--password-file", "-", typed=f"{PASSWORD}!\n")
    await at_home(core, "user", "disable", "ada")
    (line,) = (await at_home(core, "user", "list")).stdout.splitlines()
    assert line.split("\t")[:3] == ["ada", "operator", "disabled"]
    await at_home(core, "user", "enable", "ada")
    (record,) = json.loads((await at_home(core, "user", "list", "--json")).stdout)
    assert "disabled_at" not in record


async def test_a_weak_password_is_refused_and_nobody_is_asked_where_nobody_is(core: RunningCore) -> None:
    weak = await at_home(core, "user", "create", "ada", "--password-file", "-", typed="administrator\n")
    assert weak.exit_code == 2
    assert "guessed first" in weak.stderr
    nobody = await at_home(core, "user", "create", "ada")
    assert nobody.exit_code == 2
    assert "--password-file" in nobody.stderr


async def test_a_person_is_asked_for_the_password_twice(core: RunningCore) -> None:
    shown = await asyncio.to_thread(
        on_a_terminal, [PASSWORD, PASSWORD], "user", "create", "ada", "--home", str(core.home.path)
    )
    assert "Password" in shown
    assert "The same again" in shown
    assert PASSWORD not in shown
    assert "Made the user ada" in shown


def on_a_terminal(lines: list[str], *words: str) -> str:
    """Run the command on a terminal, typing a line at each question; return what it showed."""
    ours, theirs = pty.openpty()
    command = (sys.executable, "-m", "segint_grpc.cli.main", *words)
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True):
        os.close(theirs)
        shown = b""
        while part := read(ours):
            shown += part
            if lines and shown.endswith(b": "):
                os.write(ours, f"{lines.pop(0)}\n".encode())
    os.close(ours)
    return shown.decode()


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end is closed
        return b""


async def test_another_machines_server_is_run_with_a_token(core: RunningCore, tmp_path: Path) -> None:
    file = tmp_path / "admin.token"
    file.write_text(f"{await token(core, '--scope', 'admin')}\n")
    there = ("--server", core.tcp, "--token-file", str(file))
    core.add_waiting()
    for words in ("model list", "job list", "status --once", "token list", "user list"):
        done = await segint(*words.split(), *there)
        assert done.exit_code == 0, done.output
    assert len((await segint("job", "list", *there)).stdout.splitlines()) == 1


async def test_server_and_token_come_from_the_environment_too(core: RunningCore) -> None:
    secret = await token(core, "--scope", "operator")
    environment = {"SEGINT_GRPC_SERVER": core.tcp, "SEGINT_TOKEN": secret}
    assert (await segint("job", "list", **environment)).exit_code == 0
    refused = await segint("token", "list", **environment)
    assert refused.exit_code == 2
    assert "scope admin" in refused.stderr


async def test_a_typed_token_works_and_is_called_what_it_is(core: RunningCore) -> None:
    done = await segint("job", "list", "--server", core.tcp, "--token", await token(core, "--scope", "admin"))
    assert done.exit_code == 0
    assert "--token-file is better" in done.stderr


async def test_without_a_token_another_machines_server_says_what_to_do(core: RunningCore) -> None:
    refused = await segint("job", "list", "--server", core.tcp)
    assert refused.exit_code == 2
    assert "segint token create" in refused.stderr


async def test_two_servers_at_once_and_an_address_that_is_none_are_refused(tmp_path: Path) -> None:
    both = await segint("job", "list", "--server", "127.0.0.1:1", "--home", str(tmp_path))
    assert "give one of them" in both.stderr
    none = await segint("job", "list", "--server", "somewhere")
    assert "is no HOST:PORT" in none.stderr
    missing = await segint("job", "list", "--server", "127.0.0.1:1", "--token-file", str(tmp_path / "no"))
    assert "cannot be read" in missing.stderr
    assert (both.exit_code, none.exit_code, missing.exit_code) == (2, 2, 2)


async def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    away = await segint("job", "list", "--server", "127.0.0.1:1")
    assert away.exit_code == 1
    assert "127.0.0.1:1" in away.stderr
