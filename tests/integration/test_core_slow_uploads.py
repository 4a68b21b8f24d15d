"""An upload over gRPC that makes no progress is given up, and leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from generated.segint.v1.segmentation_pb2 import SubmitHeader, SubmitRequest
from segint_grpc.home import Home
from tests.fakes.cores import SAMPLE, running_core


async def requests(ended: asyncio.Event, chunk: bytes, pause_s: float) -> AsyncIterator[SubmitRequest]:
    """A header, then `chunk` again and again until the test has ended."""
    yield SubmitRequest(header=SubmitHeader(model_id=SAMPLE, caller="192.0.2.7"))
    while not ended.is_set():
        yield SubmitRequest(chunk=chunk)
        await asyncio.wait({asyncio.ensure_future(ended.wait())}, timeout=pause_s)


async def test_an_upload_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    home, ended = Home(tmp_path / "home"), asyncio.Event()
    home.create()
    async with running_core(home, silence_s=0.2) as core:
        call = core.segmentation.Submit(requests(ended, b"\x12", 60), timeout=30)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "Nothing came for 0.2 s" in await call.details()
        ended.set()
        assert list(home.bodies.rglob("*.*")) == []


async def test_an_upload_that_trickles_is_given_up(tmp_path: Path) -> None:
    home, ended = Home(tmp_path / "home"), asyncio.Event()
    home.create()
    async with running_core(home, silence_s=0.2, body_rate_min_bytes=1000) as core:
        call = core.segmentation.Submit(requests(ended, b"\x78\x01", 0.02), timeout=30)
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "body_rate_min_bytes" in await call.details()
        ended.set()
