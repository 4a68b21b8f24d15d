"""The command line at another machine's server: a token goes there with TLS, or not at all."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

from segint_grpc import errors
from segint_grpc.client import connection
from segint_grpc.client.connection import Remote
from segint_grpc.client.operations import Operations
from segint_grpc.home import Home
from tests.certificates import Certificates
from tests.fakes.cores import running_core

TOKEN = "segint_secret_of_a_test"


def heard(listener: socket.socket, pieces: list[bytes]) -> None:
    """Note what the first client says before it is answered."""
    client, _ = listener.accept()
    with client:
        pieces.append(client.recv(4096))


def test_a_token_is_never_sent_to_another_machine_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "is_loopback", lambda host: False)
    pieces: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listening = threading.Thread(target=heard, args=(listener, pieces))
        listening.start()
        place = Remote(f"127.0.0.1:{listener.getsockname()[1]}", TOKEN)
        with Operations(place) as operations, pytest.raises(errors.ServerUnreachable, match="SEGINT_CA"):
            operations.figures()
        listening.join(20)
    assert pieces[0].startswith(b"\x16\x03"), "a ClientHello (RFC 8446, section 5.1)"
    assert TOKEN.encode() not in pieces[0]


async def test_figures_are_asked_of_a_server_with_tls_by_token(tmp_path: Path) -> None:
    home, made = Home(tmp_path / "home"), Certificates(tmp_path / "tls")
    home.create()
    async with running_core(home, **made.settings_with_clients) as core:
        certificate, key = made.client("anna", gateway=False)
        command = ("token", "create", "scripts", "--scope", "operator", "--home", str(home.path))
        made_token = (await segint(*command)).strip().splitlines()[-1].split()[-1]
        known = ("--ca", made.authority, "--certificate", certificate, "--key", key)
        await segint("job", "list", "--server", core.tcp, *map(str, known), SEGINT_TOKEN=made_token)


async def segint(*arguments: str, **environment: str) -> str:
    """Run the command line; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "segint_grpc.cli.main", *arguments),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()
    return stdout.decode()
