"""A real gateway before a fake core, and a client that speaks to it: what the gateway's tests stand on."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc

from generated.radiomics import Model_pb2
from http_gateway.server import serve
from segint_grpc.settings import Settings
from tests.fakes.core import MODEL_ID, FakeCore, running

PROTOBUF = "application/x-protobuf"
JSON = {"Accept": "application/json"}
AS_PROTOBUF = {"Content-Type": PROTOBUF}
POST_PATH = "/api/v2/Model/Centered%20Orange%20Square/segmentation"


@dataclass
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> Model_pb2.BadRequestResponse:
        return Model_pb2.BadRequestResponse.FromString(self.body)


@dataclass
class Bench:
    """A gateway that listens, the core behind it, and a client without an Accept header of its own."""

    core: FakeCore
    address: str
    session: aiohttp.ClientSession
    socket: Path
    secure_address: str = ""

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send one request and return its answer."""
        async with self.session.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def post(self, body: Any, path: str = POST_PATH, **headers: str) -> Answer:
        return await self.ask("POST", path, data=body, headers={**AS_PROTOBUF, **headers})

    async def send_raw(self, raw: bytes) -> bytes:
        """Send `raw` on a connection of its own and return everything that comes until the server ends it."""
        async with self.connection() as (reader, writer):
            writer.write(raw)
            return await reader.read()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare TCP connection to the gateway."""
        host, port = self.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def gateway_bench(core_refuses: grpc.StatusCode | None = None, **settings: Any) -> AsyncIterator[Bench]:
    """Run a gateway with `settings` before a fresh fake core while the context lasts.

    The core pushes its news, or refuses to with the status `core_refuses`.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway"))
    core, socket = FakeCore(), folder / "core.sock"
    core.feed.refused = core_refuses
    wanted = {"home": str(folder), "http": "127.0.0.1:0", "core": f"unix:{socket}", "stop_grace_s": 2.0}
    try:
        async with running(core, socket), serve(Settings(**{**wanted, **settings})) as gateway:
            client = aiohttp.ClientSession(
                f"http://{gateway.address or '127.0.0.1'}",
                skip_auto_headers=("Accept", "Accept-Encoding"),
                auto_decompress=False,
            )
            async with client:
                yield Bench(core, gateway.address, client, socket, gateway.secure_address)
    finally:
        shutil.rmtree(folder)


def scan(size_bytes: int = 1000) -> bytes:
    """Return a serialized ModelInput with one channel of `size_bytes` of data, which nobody unpacks here."""
    channel = Model_pb2.ModelInputChannel(ChannelID="1", VolumeID="patient 4711")
    channel.CalibratedVolume.Volume.Data = bytes(size_bytes)
    return Model_pb2.ModelInput(Channels=[channel]).SerializeToString()


async def in_pieces(body: bytes, piece_bytes: int = 256 * 1024) -> AsyncIterator[bytes]:
    """Yield `body` in pieces; a client that is given this sends it chunked (RFC 9112 section 7.1)."""
    for start in range(0, len(body), piece_bytes):
        yield body[start : start + piece_bytes]


def job_path(job_id: str, model_id: str = MODEL_ID, tail: str = "") -> str:
    return f"/api/v2/Model/{model_id.replace(' ', '%20')}/segmentation/{job_id}{tail}"
