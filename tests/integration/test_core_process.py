"""The core as a process of its own: `python -m segint_grpc` without `segint serve` around it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certificates import Certificates


def start_core(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a core that is expected to refuse; one that does not is ended after a while."""
    return subprocess.run(
        [sys.executable, "-m", "segint_grpc", "--home", str(home), *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_listening_to_everybody_is_refused_before_anything_is_made(tmp_path: Path, address: str) -> None:
    refused = start_core(tmp_path / "home", "--grpc", address)
    assert refused.returncode == 2
    assert "--allow" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "home").exists()


def test_an_address_that_is_none_is_refused_by_its_setting_s_name(tmp_path: Path) -> None:
    refused = start_core(tmp_path / "home", "--grpc", "localhost")
    assert refused.returncode == 2
    assert "grpc: 'localhost' is no HOST:PORT" in refused.stderr


def test_strangers_to_tls_write_nothing_into_what_nobody_rotates(tmp_path: Path) -> None:
    made = Certificates(tmp_path / "tls")
    told, tell = os.pipe()
    variables = {f"SEGINT_{name.upper()}": value for name, value in made.settings.items()}
    command = (sys.executable, "-m", "segint_grpc", "--home", str(tmp_path / "home"), "--grpc", "127.0.0.1:0")
    with subprocess.Popen(
        (*command, "--ready-fd", str(tell)),
        env=os.environ | variables,
        stderr=subprocess.PIPE,
        pass_fds=(tell,),
        text=True,
    ) as core:
        os.close(tell)
        with open(told) as ready:
            host, _, port = json.loads(ready.readline())["grpc"].rpartition(":")
        for _ in range(3):
            with socket.create_connection((host, int(port)), 10) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                while stranger.recv(4096):
                    pass
        core.terminate()
        _, shown = core.communicate(timeout=20)
    assert shown == ""
