"""`segint certs` as a person types it."""

from __future__ import annotations

import json
import os
import ssl
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def certs(home: Path, *arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "segint_grpc.cli.main", "certs", *arguments],
        cwd=ROOT,
        env={**os.environ, "SEGINT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_init_prints_lines_for_segint_toml_that_hold(home: Path) -> None:
    text = certs(home, "init", "--name", "segint.clinic.example")
    assert f"Put into {home}/segint.toml:" in text
    lines = [line.strip() for line in text.splitlines() if line.startswith("  ") and " = " in line]
    settings = tomllib.loads("\n".join(lines))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["tls_certificate"], settings["tls_key"])
    context.load_verify_locations(settings["tls_client_ca"])
    assert stat.S_IMODE(Path(settings["tls_key"]).stat().st_mode) == 0o600
    assert "Give to clients" in text
    assert "PRIVATE KEY" not in text


def test_init_replaces_nothing_and_says_what_to_type(home: Path) -> None:
    certs(home, "init")
    before = (home / "tls" / "authority.pem").read_bytes()
    assert "segint certs renew" in certs(home, "init", fails=True)
    assert (home / "tls" / "authority.pem").read_bytes() == before
    certs(home, "init", "--force")
    assert (home / "tls" / "authority.pem").read_bytes() != before


def test_show_tells_names_end_and_fingerprint(home: Path) -> None:
    certs(home, "init", "--name", "segint.clinic.example")
    certs(home, "client", "front", "--gateway")
    text = certs(home, "show")
    assert "segint.clinic.example, " in text
    assert "speak for others, as a gateway" in text
    shown = json.loads(certs(home, "show", "--json"))
    assert [Path(one["path"]).name for one in shown] == ["authority.pem", "server.pem", "front.pem"]
    assert all(len(one["sha256"]) == 95 and one["ends_at"] for one in shown)


def test_show_looks_at_any_file_and_says_what_is_none(home: Path) -> None:
    assert "segint certs init" in certs(home, "show", fails=True)
    certs(home, "init", "--out", str(home / "elsewhere"))
    assert "localhost" in certs(home, "show", str(home / "elsewhere" / "server.pem"))
    key = home / "elsewhere" / "server.key"
    assert "holds no certificate" in certs(home, "show", str(key), fails=True)


def test_a_client_gets_the_commands_that_it_needs(home: Path) -> None:
    certs(home, "init")
    assert "--certificate anna.pem --key anna.key" in certs(home, "client", "anna")
    text = certs(home, "client", "front", "--gateway")
    for line in ('core_ca = "authority.pem"', 'core_certificate = "front.pem"', "tls_client_ca = "):
        assert line in text
