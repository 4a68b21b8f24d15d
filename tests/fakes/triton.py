"""A stand-in for Triton, which pip cannot install: its binary tensor extension, as its description has it.

It also does what a server should not, by the name of the model that it is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

HEADER = "Inference-Header-Content-Length"
NUMBERS = {
    "BOOL": "?",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    "UINT8": "u1",
    "INT8": "i1",
    "UINT16": "<u2",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
}


@dataclass
class Triton:
    """What was asked, and how to answer: by default masks of `datatype` that say what exceeds 100."""

    url: str = ""
    token: str = ""
    extensions: tuple[str, ...] = ("binary_tensor_data",)
    input_datatype: str = "FP32"
    datatype: str = "UINT8"
    shape: tuple[int, ...] = (1, 1, -1, -1, -1)
    requests: list[dict[str, Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    elsewhere: str = ""
    describes: bool = True

    def application(self) -> web.Application:
        made = web.Application(client_max_size=2**30, middlewares=[self._doorkeeper])
        made.router.add_get("/v2", self._server)
        made.router.add_get("/v2/health/ready", self._ready)
        made.router.add_get("/v2/models/{model}", self._model)
        made.router.add_get("/v2/models/{model}/ready", self._ready)
        made.router.add_post("/v2/models/{model}/infer", self._infer)
        return made

    @web.middleware
    async def _doorkeeper(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.connections.add(request.transport)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "no"}, status=401)
        answered: web.StreamResponse = await handler(request)
        return answered

    async def _server(self, request: web.Request) -> web.Response:
        return web.json_response({"name": "triton", "version": "2.0", "extensions": list(self.extensions)})

    async def _ready(self, request: web.Request) -> web.Response:
        return web.Response(status=400 if request.match_info.get("model") == "loading" else 200)

    async def _model(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        if name == "unknown":
            return web.json_response({"error": "Request for unknown model: 'unknown'"}, status=400)
        if not self.describes:
            return web.json_response({"name": name, "inputs": [], "outputs": []})
        image = {"name": "image", "datatype": self.input_datatype, "shape": list(self.shape)}
        names = ("left", "bright") if name == "pair" else ("mask",)
        masks = [{"name": one, "datatype": self.datatype, "shape": list(self.shape)} for one in names]
        return web.json_response({"name": name, "versions": ["1"], "inputs": [image], "outputs": masks})

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["model"] == "sluggish":
            async for _ in request.content.iter_chunked(65_536):
                await asyncio.sleep(0.1)
        body = await request.read()
        frame, image = self._image(body, request.headers.get(HEADER))
        self.requests.append(frame)
        misdeed = getattr(self, f"_{request.match_info['model']}", None)
        mask = (image > 100).astype(NUMBERS[self.datatype])
        if misdeed is not None:
            answered: web.StreamResponse = await misdeed(request, mask)
            return answered
        return self._answer(mask)

    def _image(self, body: bytes, header: str | None) -> tuple[dict[str, Any], NDArray[Any]]:
        frame = json.loads(body[: int(header)] if header else body)
        tensor = frame["inputs"][0]
        dtype, shape = NUMBERS[tensor["datatype"]], tensor["shape"]
        if header is None:
            return frame, np.array(tensor.pop("data"), dtype).reshape(shape)
        size = tensor["parameters"]["binary_data_size"]
        assert size == math.prod(shape) * np.dtype(dtype).itemsize
        return frame, np.frombuffer(body[int(header) :][:size], dtype).reshape(shape)

    def _answer(self, mask: NDArray[Any], **changes: Any) -> web.Response:
        output = {"name": "mask", "datatype": self.datatype, "shape": list(mask.shape)}
        output["parameters"] = {"binary_data_size": mask.nbytes}
        frame = json.dumps({"model_name": "m", "model_version": "1", "outputs": [output | changes]}).encode()
        return web.Response(
            body=frame + mask.tobytes(),
            content_type="application/octet-stream",
            headers={HEADER: str(len(frame))},
        )

    async def _pair(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        made = {"left": mask, "bright": 1 - mask}
        facts = {"datatype": self.datatype, "shape": list(mask.shape)}
        outputs = [{"name": name, **facts, "data": one.ravel().tolist()} for name, one in made.items()]
        return web.json_response({"outputs": outputs})

    async def _redirect(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        raise web.HTTPTemporaryRedirect(self.elsewhere)

    async def _flat(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return self._answer(mask[0, 0, 0])

    async def _first(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return self._answer(mask[:1])

    async def _huge(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        output = {"name": "more", "datatype": "FP64", "shape": [10**9, 10**9]}
        return web.json_response({"outputs": [output | {"data": mask.ravel().tolist()}]})

    async def _short(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return self._answer(mask, parameters={"binary_data_size": 7})

    async def _other(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return self._answer(mask, name="other")

    async def _words(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return web.json_response({"error": "cannot broadcast array([-12.5, 100.0]) in _run"}, status=500)

    async def _nonsense(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        return web.Response(text="<html>Here is a page.</html>")

    async def _squeezed(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        answer = self._answer(mask)
        answer.enable_compression(web.ContentCoding.gzip)
        answer.headers["Content-Encoding"] = "gzip"
        return answer

    async def _dying(self, request: web.Request, mask: NDArray[Any]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "1000000"})
        await answer.prepare(request)
        await answer.write(b'{"model_name": "m", "outputs": [{"name": "mask",')
        assert request.transport is not None
        request.transport.abort()
        return answer

    async def _slow(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def _dripping(self, request: web.Request, mask: NDArray[Any]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "30"})
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(30):
                await answer.write(b" ")
                await asyncio.sleep(0.2)
        return answer

    async def _closing(self, request: web.Request, mask: NDArray[Any]) -> web.Response:
        """Says that it keeps the connection, and ends it a moment later, as servers do with idle ones."""
        assert request.transport is not None
        asyncio.get_running_loop().call_later(0.01, request.transport.abort)
        return self._answer(mask)


@asynccontextmanager
async def triton(tls: ssl.SSLContext | None = None, **facts: Any) -> AsyncIterator[Triton]:
    """Serve while the context lasts, on a free port of this machine."""
    serving = Triton(**facts)
    runner = web.AppRunner(serving.application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = runner.addresses[0][1]
        serving.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        yield serving
    finally:
        await runner.cleanup()
