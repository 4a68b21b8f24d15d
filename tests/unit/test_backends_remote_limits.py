"""What a server that runs a model may not do: take for ever, or be another than was meant."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segint_grpc import errors
from segint_grpc.backends.base import Tiles
from segint_grpc.domain.remotes import RemoteRules
from tests.fakes.triton import triton
from tests.unit.test_backends_open_inference import loaded, refusal


@pytest.mark.parametrize("model", ["slow", "dripping"])
async def test_a_request_ends_when_its_time_is_over(model: str) -> None:
    async with triton() as server:
        before = time.monotonic()
        assert "did not answer within 1 s (parameter timeout_s)" in await refusal(server, model, timeout_s=1)
        assert time.monotonic() - before < 4


async def test_a_server_that_takes_a_scan_slowly_is_given_up_when_its_time_is_over() -> None:
    async with triton() as server:
        backend = await asyncio.to_thread(loaded, url=server.url, model="sluggish", timeout_s=1)
        before = time.monotonic()
        with pytest.raises(errors.ModelFailure, match=r"did not answer within 1 s"):
            await asyncio.to_thread(backend.infer, Tiles(np.zeros((1, 1, 64, 256, 256), np.float32)))
        assert time.monotonic() - before < 4


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_that_never_answers_is_given_up() -> None:
    with silent_port() as port, pytest.raises(errors.ModelFailure, match="did not answer within 1 s"):
        loaded(url=f"http://127.0.0.1:{port}", model="m", timeout_s=1)


def test_a_localhost_that_a_resolver_places_elsewhere_is_sent_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 8000))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *question, **more: away)
    with pytest.raises(errors.InvalidModel, match=r"leads to 192\.0\.2\.1, which is not this machine"):
        loaded(url="http://localhost:8000", model="m", timeout_s=1)


@pytest.mark.parametrize("content", ["", "no certificate", None])
def test_an_authority_s_file_that_cannot_be_used_is_told_by_its_setting(
    tmp_path: Path, content: str | None
) -> None:
    authority = tmp_path / "clinic.pem"
    if content is not None:
        authority.write_text(content)
    with pytest.raises(errors.InvalidModel, match="open_inference_ca cannot be used: "):
        loaded(RemoteRules(authority=authority), url="https://127.0.0.1:9", model="m")
