"""`segint audit` against a whole core."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segint_grpc.cli.audit import COLUMNS
from segint_grpc.cli.main import main
from segint_grpc.domain.access import Caller, Door
from segint_grpc.domain.audit import entry_by
from tests.fakes.cores import RunningCore, running_core
from tests.fakes.stores import START, make_home

Segint = Callable[..., Awaitable[Result]]


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    async with running_core(make_home(tmp_path)) as core:
        somebody = Caller(Door.TCP, "token:7f3a", address="192.0.2.7")
        kinds = ("result.read", "job.view", "job.delete")
        core.store.audit.append([entry_by(somebody, START, act, "job", "j", model="Thorax") for act in kinds])
        yield core


@pytest.fixture
def segint(core: RunningCore) -> Segint:
    def run(*words: str) -> Awaitable[Result]:
        arguments = ["audit", *words, "--home", str(core.home.path)]
        return asyncio.to_thread(CliRunner().invoke, main, arguments)

    return run


async def test_records_are_listed_newest_first(segint: Segint) -> None:
    lines = (await segint("list", "--act", "job.*")).output.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["3", "2"]
    assert lines[0].split("\t")[2:] == ["token:7f3a", "192.0.2.7", "job.delete", "j", "ok"]
    assert (await segint("list", "--who", "user:nobody")).output == ""
    assert len((await segint("list", "--limit", "2")).output.splitlines()) == 2


async def test_programs_get_every_field(segint: Segint) -> None:
    (record,) = json.loads((await segint("list", "--act", "result.read", "--json")).output)
    assert list(record) == list(COLUMNS)
    assert record["details"] == {"model": "Thorax"}
    assert record["at"] == "2026-03-01T08:30:00.123456+00:00"
    rows = list(csv.DictReader((await segint("list", "--object", "j", "--csv")).output.splitlines()))
    assert [row["seq"] for row in rows] == ["3", "2", "1"]


async def test_verify_tells_the_head_and_takes_it_back(segint: Segint) -> None:
    result = await segint("verify")
    assert result.exit_code == 0
    assert "is whole" in result.output
    head = next(line.split()[1] for line in result.output.splitlines() if line.startswith("Head"))
    again = await segint("verify", "--head", head)
    assert again.exit_code == 0
    assert f"Holds        {head}" in again.output
    seq, _, _ = head.partition(":")
    forged = await segint("verify", "--head", f"{seq}:{'a' * 64}")
    assert forged.exit_code == 1
    assert "rewritten" in forged.output
    ahead = await segint("verify", "--head", f"999:{'a' * 64}")
    assert ahead.exit_code == 1
    assert "cut off" in ahead.output


async def test_verify_finds_a_changed_row(segint: Segint, core: RunningCore) -> None:
    with closing(sqlite3.connect(core.home.database)) as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET principal = 'x' WHERE seq = 2")
        connection.commit()
    result = await segint("verify")
    assert result.exit_code == 1
    assert "BROKEN at record 2" in result.output
    told = await segint("verify", "--json")
    verdict = json.loads(told.output)
    assert (verdict["broken_seq"], verdict["head"]["seq"]) == ("2", "1")


@pytest.mark.parametrize("head", ["12", "x:y", f"0:{'a' * 64}", f"1:{'A' * 63}"])
async def test_a_head_that_is_none_is_a_usage_error(segint: Segint, head: str) -> None:
    result = await segint("verify", "--head", head)
    assert result.exit_code == 2
    assert "64 hexadecimal digits" in result.output
