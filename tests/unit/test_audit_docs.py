"""docs/audit.md and docs/backup.md promise what the code does."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from segint_grpc.api.audit_rows import RECORDED
from segint_grpc.backup import sealing
from segint_grpc.domain.access import SERVER
from segint_grpc.domain.audit import entry_by
from segint_grpc.service import audit_forwarding
from segint_grpc.settings import Settings
from segint_grpc.store import Store
from tests.fakes.stores import START, Clock, make_home

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "audit.md").read_text()
BACKUP_PAGE = (DOCS / "backup.md").read_text()
VERIFIER = re.search(r"```python\n(.*?)```", PAGE, re.S)
ACTS = {act for line in PAGE.splitlines() if line.startswith("| `") for act in re.findall(r"`([^`]+)`", line)}


def run_verifier(folder: Path) -> subprocess.CompletedProcess[str]:
    assert VERIFIER
    command = [sys.executable, "-c", VERIFIER[1]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_verifier_of_the_page_agrees_with_ours(tmp_path: Path) -> None:
    clock = Clock()
    with Store(make_home(tmp_path), clock) as store:
        entries = [entry_by(SERVER, START, "version.retire", "version", f"Thörax {n}", "r") for n in range(9)]
        store.audit.append(entries)
        clock.advance(100)
        assert store.audit.prune(50) == 9
        head = store.audit.append(entries)
        store._database._database.connect()
        store._database._database.execute_sql(f"VACUUM INTO '{tmp_path / 'copy.sqlite3'}'")
        store._database._database.close()
    done = run_verifier(tmp_path)
    assert done.stdout.strip() == str(head), done.stderr


def test_the_verifier_of_the_page_finds_a_changed_record(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    with Store(home, Clock()) as store:
        store.audit.append([entry_by(SERVER, START, "version.retire", "version", "x")] * 3)
        with store._database.write() as transaction:
            transaction._database.execute_sql("DROP TRIGGER audit_no_update")
            transaction._database.execute_sql("UPDATE audit SET object_id = 'y' WHERE seq = 2")
    (home.database).rename(tmp_path / "copy.sqlite3")
    done = run_verifier(tmp_path)
    assert "record 2 was changed" in done.stderr


@pytest.mark.parametrize("rpc", RECORDED)
def test_every_act_is_on_the_page(rpc: str) -> None:
    assert any(fnmatch(RECORDED[rpc].act, act) for act in ACTS)


def test_the_figures_of_the_pages_are_the_programs() -> None:
    assert Settings().audit_retention_s == 6 * 365.25 * 86_400
    assert audit_forwarding.HEAD_EVERY_S == 300
    assert f"last {audit_forwarding.AGAIN} records are sent again" in PAGE.replace("\n", " ")
    header = next(iter(sealing.seal([b"x"], "a long enough passphrase")))
    magic, version, *cost = struct.unpack(">8s4B23x", header)
    assert (magic, version, cost) == (b"SEGINTBK", 1, [16, 8, 1])
    assert f"| `{magic.decode()}` |" in BACKUP_PAGE
    assert f"at least {sealing.PASSPHRASE_MIN} characters" in BACKUP_PAGE
