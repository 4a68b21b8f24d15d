"""Speaks the HTTP interface as Velocity does: POST a ModelInput, poll its progress, GET the ModelOutput.

Every message is protobuf with `Content-Type` and `Accept` application/x-protobuf. Beyond what Velocity
does, the server's event stream is used where it has one, and a job can be cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import aiohttp
from google.protobuf.message import DecodeError, Message
from yarl import URL

from generated.radiomics import Model_pb2
from segint_grpc import errors
from segint_grpc.client.events import ENDED, JobEvent, read_events
from segint_grpc.client.request import RequestBody
from segint_grpc.client.trust import Trust, from_environment

PROTOBUF = "application/x-protobuf"
PATIENCE_S = 1200.0
"""How long Velocity waits for a result."""
OUTAGE_MAX_S = 60.0
"""How long a server that has accepted a job may be out of reach before the client gives up."""
POST_PAUSES_S = (0.5, 2.0)
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)
EVENTS_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)
CANCEL_TIMEOUT = aiohttp.ClientTimeout(total=5)
FAILURES: dict[int, type[errors.JobFailure]] = {
    Model_pb2.SegmentationProgress.ErrorCodes.Value(kind.error_code): kind
    for kind in (errors.JobFailure, errors.ClientMistake, errors.Decompression, errors.BufferSizeMismatch)
}

Bytes = Callable[[int, int | None], None]
"""Called with the bytes that have passed and the total, or None where it is unknown."""
Answer = TypeVar("Answer", bound=Message)


class VelocityClient:
    """A conversation with one server; an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        poll_s: float = 0.5,
        patience_s: float = PATIENCE_S,
        trust: Trust | None = None,
    ) -> None:
        """Speak to `url`: http://HOST:PORT, with or without the /api/v2 that Velocity is given.

        `token` is shown with every request, where there is one. With https the server's certificate is
        verified, by `trust` or what the environment names (SEGINT_CA).
        """
        self._headers = {"Accept": PROTOBUF} | ({"Authorization": f"Bearer {token}"} if token else {})
        text = url if "://" in url else f"http://{url}"
        self.url = text.rstrip("/").removesuffix("/api/v2")
        self._poll_s = poll_s
        self._patience_s = patience_s
        self._trust = trust or from_environment()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session; nothing is sent. Raises InvalidSetting where a file for TLS is of no use."""
        secure = self.url.lower().startswith("https:")
        connector = aiohttp.TCPConnector(ssl=self._trust.context()) if secure else None
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT, connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        assert self._session is not None
        await self._session.close()

    async def models(self) -> Model_pb2.ModelsCollection:
        """Return every family that the server offers."""
        async with self._request("GET", "/api/v2/Model/") as response:
            return await self._message(response, Model_pb2.ModelsCollection)

    async def post(self, model_id: str, body: RequestBody, sent: Bytes) -> str:
        """Send a scan and return the SegmentationID; a broken connection is tried again.

        Sending again is safe: the server answers with the same job while the first is unfinished.

        Raises:
            ServerRefused, Exhausted, ServerUnreachable: in the server's own words where it has any.
        """
        for pause_s in POST_PAUSES_S:
            with contextlib.suppress(errors.ServerUnreachable):
                return await self._post_once(model_id, body, sent)
            await asyncio.sleep(pause_s)
        return await self._post_once(model_id, body, sent)

    async def _post_once(self, model_id: str, body: RequestBody, sent: Bytes) -> str:
        async def stream() -> AsyncIterator[memoryview]:
            passed = 0
            for chunk in body.chunks():
                yield chunk
                passed += len(chunk)
                sent(passed, body.size_bytes)

        # With Content-Length, as Velocity sends it: not every server of this interface reads chunked bodies.
        headers = {"Content-Type": PROTOBUF, "Content-Length": str(body.size_bytes)}
        async with self._request("POST", _path(model_id), data=stream(), headers=headers) as response:
            return (await self._message(response, Model_pb2.SegmentationTask)).SegmentationID

    async def progress(self, model_id: str, job_id: str) -> Model_pb2.SegmentationProgress:
        """Ask once how far the job is."""
        async with self._request("GET", _path(model_id, job_id)) as response:
            return await self._message(response, Model_pb2.SegmentationProgress)

    async def events(self, model_id: str, job_id: str) -> AsyncIterator[JobEvent]:
        """Yield what the server says of the job until it has ended or the stream breaks off.

        Raises:
            ServerRefused: the server has no such stream.
            ServerUnreachable, ValueError: the stream broke, or holds no events.
        """
        path, headers = _path(model_id, job_id, "events"), {"Accept": "text/event-stream"}
        async with self._request("GET", path, headers=headers, timeout=EVENTS_TIMEOUT) as response:
            if response.content_type != "text/event-stream":
                raise errors.ServerRefused(f"{self.url} has no event stream.")
            async for event in read_events(response.content):
                yield event
                if event.state in ENDED:
                    return

    async def follow(self, model_id: str, job_id: str, report: Callable[[JobEvent], None]) -> None:
        """Wait until the job has succeeded, calling `report` with everything new.

        Raises:
            JobFailure: the job failed or was cancelled; the class says which of the API's codes it has.
            DeadlineExceeded: it did not end within Velocity's patience.
            ServerUnreachable: the server stayed out of reach.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                with contextlib.suppress(errors.SegIntError, ValueError):
                    async for event in self.events(model_id, job_id):
                        report(event)
                await self._poll(model_id, job_id, report)
        except TimeoutError:
            raise errors.DeadlineExceeded(
                f"The server did not finish within {self._patience_s / 60:.0f} minutes."
            ) from None

    async def _poll(self, model_id: str, job_id: str, report: Callable[[JobEvent], None]) -> None:
        """Poll until the end: Velocity's way, and the last word after an event stream."""
        clock = asyncio.get_running_loop().time
        answered_at = clock()
        while True:
            try:
                progress = await self.progress(model_id, job_id)
            except errors.Unavailable:
                if clock() - answered_at > OUTAGE_MAX_S:
                    raise
            else:
                answered_at = clock()
                if progress.Errors:
                    raise _failure(progress)
                report(JobEvent(min(progress.Progress, 100)))
                if progress.Progress >= 100:
                    return
            await asyncio.sleep(self._poll_s)

    async def result(self, model_id: str, job_id: str, received: Bytes) -> Model_pb2.ModelOutput:
        """Download the result of a job that has succeeded."""
        async with self._request("GET", _path(model_id, job_id, "result")) as response:
            return await self._message(response, Model_pb2.ModelOutput, received)

    async def cancel(self, model_id: str, job_id: str) -> bool:
        """Ask the server to drop the job; False where it did not answer or cannot cancel."""
        try:
            async with self._request("DELETE", _path(model_id, job_id), timeout=CANCEL_TIMEOUT):
                return True
        except errors.SegIntError:
            return False

    @contextlib.asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        data: AsyncIterator[memoryview] | None = None,
        headers: dict[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,  # noqa: ASYNC109 (handed on to the library)
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its answer once it is a success; else raise what it says."""
        assert self._session is not None, "use `async with`"
        url = URL(self.url + path, encoded=True)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=timeout
            ) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                yield response
        except aiohttp.InvalidURL:
            raise errors.ServerRefused(f"{self.url} is no address; write it as http://HOST:PORT.") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise errors.ServerRefused(_distrust(self.url, error)) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise errors.ServerUnreachable(
                f"The server at {self.url} cannot be reached: {_reason(error)}. {_hint(self.url, error)}"
            ) from None

    async def _message(
        self,
        response: aiohttp.ClientResponse,
        kind: type[Answer],
        received: Bytes = lambda passed, total: None,
    ) -> Answer:
        pieces, passed = [], 0
        async for piece in response.content.iter_any():
            pieces.append(piece)
            passed += len(piece)
            received(passed, response.content_length)
        try:
            return kind.FromString(b"".join(pieces))
        except DecodeError:
            raise errors.ServerRefused(
                f"{self.url} does not answer as a segmentation server does. Is that the right address?"
            ) from None

    async def _refusal(self, response: aiohttp.ClientResponse) -> errors.SegIntError:
        body = await response.read()
        try:
            details = Model_pb2.BadRequestResponse.FromString(body).ExceptionDetails
        except DecodeError:
            details = ""
        text = details or f"{self.url} answered {response.status} {response.reason}."
        if response.status in (502, 503, 504):
            return errors.Unavailable(text)
        return errors.Unauthenticated(text) if response.status == 401 else errors.ServerRefused(text)


def _path(model_id: str, job_id: str = "", part: str = "") -> str:
    segments = ("api", "v2", "Model", model_id, "segmentation", job_id, part)
    return "/" + "/".join(quote(segment, safe="") for segment in segments if segment)


def _distrust(url: str, error: aiohttp.ClientSSLError) -> str:
    """Return why there is no TLS with the server, and what to do about it."""
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"{url} shows a certificate that cannot be trusted ({cause.verify_message}). If it is of a local "
            "authority, name that with --ca FILE or SEGINT_CA; ask whoever runs the server for the file."
        )
    reason = getattr(cause, "reason", None) or cause
    return f"{url} does not speak TLS as expected ({reason}). Is it https there?"


def _reason(error: Exception) -> str:
    """Return the system's own words for what kept a connection from being made, without the library's."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return str(error) or "no answer in time"
    cause = error.os_error
    if cause.errno is not None and cause.errno > 0 and not isinstance(cause, ssl.SSLError):
        return os.strerror(cause.errno)
    return cause.strerror or str(cause)


def _hint(url: str, error: Exception) -> str:
    """Return what to look at after `error`."""
    if isinstance(error, aiohttp.ServerDisconnectedError) and url.startswith("https:"):
        return (
            "If it asks clients for a certificate, show one: SEGINT_CERTIFICATE and SEGINT_KEY, or "
            "--certificate and --key."
        )
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "If that port speaks TLS, write the address with https:// instead."
    return "Is it running, and is that its address? --server or SEGINT_SERVER names another."


def _failure(progress: Model_pb2.SegmentationProgress) -> errors.JobFailure:
    return FAILURES.get(progress.ErrorCode, errors.JobFailure)(progress.Errors)
