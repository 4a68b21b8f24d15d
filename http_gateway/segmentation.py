"""The routes of a job: post a scan, ask how far it is, fetch the masks, cancel."""

from __future__ import annotations

import asyncio

import grpc
from aiohttp import web

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway import answers, intake
from http_gateway.core import ResultCall, SubmitCall
from http_gateway.exchange import Exchange
from http_gateway.negotiation import JSON, PROTOBUF
from http_gateway.prepared import Prepared, to_json
from http_gateway.refusals import Refusal, told_by_core
from segint_grpc import logs
from segint_grpc import refusal as early


async def post(exchange: Exchange) -> web.StreamResponse:
    """Forward a ModelInput to the core as it comes and answer its SegmentationTask."""
    mirror = exchange.services.mirror
    call, asked_in = exchange.services.core.submit(exchange.metadata), mirror.round
    try:
        response = await _upload(exchange, call)
    finally:
        call.cancel()
    logs.job_id.set(response.task.SegmentationID)
    if not response.repeated_post:
        # A new job is at 0 %, and the core tells when it is not any more.
        new = Model_pb2.SegmentationProgress()
        job_id, model_id = response.task.SegmentationID, exchange.parameters["model"]
        mirror.learn_job(job_id, model_id, new, asked_in, exchange.viewer)
    return answers.answer(exchange, response.task)


async def progress(exchange: Exchange) -> web.StreamResponse:
    """Answer the SegmentationProgress of a job, which the core pushes while the job is under way."""
    core, mirror = exchange.services.core, exchange.services.mirror
    asked_in = mirror.round
    known = mirror.job(exchange.parameters["id"], exchange.parameters["model"], exchange.viewer)
    if known is None:
        request = pb.GetProgressRequest(**exchange.job)
        response = await core.ask(core.segmentation.GetProgress, request, exchange.metadata)
        known = _learn(exchange, response.job, asked_in)
    return answers.answer_prepared(exchange, known)


async def cancel(exchange: Exchange) -> web.StreamResponse:
    """Cancel a job and answer its SegmentationProgress."""
    core, mirror = exchange.services.core, exchange.services.mirror
    asked_in = mirror.round
    request = pb.CancelRequest(**exchange.job)
    response = await core.ask(core.segmentation.Cancel, request, exchange.metadata)
    return answers.answer_prepared(exchange, _learn(exchange, response.job, asked_in))


async def result(exchange: Exchange) -> web.StreamResponse:
    """Answer the stored ModelOutput: its bytes as the core sends them, or translated into JSON."""
    request = pb.GetResultRequest(**exchange.job)
    call = exchange.services.core.result(request, exchange.metadata)
    try:
        first = await _read(call)
        if first is None or first.WhichOneof("part") != "header":
            raise Refusal(500, "The server sent a result without its header; its log says more.")
        if exchange.protobuf:
            return await _stream(exchange, call, first.header.size_bytes)
        return await _translate(exchange, call, first.header.size_bytes)
    finally:
        call.cancel()


def _learn(exchange: Exchange, job: job_pb2.JobProgress, asked_in: int) -> Prepared:
    """Return how far a job is that the core has just told this request's caller of."""
    mirror = exchange.services.mirror
    return mirror.learn_job(job.segmentation_id, job.model_id, job.progress, asked_in, exchange.viewer)


async def _upload(exchange: Exchange, call: SubmitCall) -> pb.SubmitResponse:
    """Send the body while listening for the answer: a core that refuses early is heard at once."""
    sending = asyncio.create_task(_send(exchange, call))
    answered = asyncio.ensure_future(_answer_of(call))
    try:
        await asyncio.wait({sending, answered}, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            await sending
        return await answered
    finally:
        sending.cancel()
        answered.cancel()
        await asyncio.gather(sending, answered, return_exceptions=True)


async def _send(exchange: Exchange, call: SubmitCall) -> None:
    """Send the header and the body, each piece when the next one, or the intact end, is there.

    To the core a cancelled stream looks like one that has ended, so a body that breaks off must never have
    gone out whole.
    """
    header = pb.SubmitHeader(model_id=exchange.parameters["model"], caller=str(exchange.peer or ""))
    size_bytes = intake.known_size(exchange.request)
    if size_bytes is not None:
        header.size_bytes = size_bytes
    try:
        await call.write(pb.SubmitRequest(header=header))
        held = b""
        async for piece in intake.pieces(exchange, exchange.services.settings.upload_max_bytes):
            if held:
                await call.write(pb.SubmitRequest(chunk=held))
            held = piece
        if held:
            await call.write(pb.SubmitRequest(chunk=held))
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return  # the core has already answered; what it said comes from the call itself


async def _answer_of(call: SubmitCall) -> pb.SubmitResponse:
    """Return the core's answer; a refusal amid the upload is read where the core sends it ahead."""
    try:
        return await call
    except grpc.aio.AioRpcError:
        metadata = await call.initial_metadata()
        told = early.unpack(metadata)
        if told is None:
            raise
        retry_s = early.unpack_retry_s(metadata)
        raise told_by_core(grpc.StatusCode[told[0]], told[1], retry_s) from None


async def _read(call: ResultCall) -> pb.GetResultResponse | None:
    part = await call.read()
    return part if isinstance(part, pb.GetResultResponse) else None


async def _stream(exchange: Exchange, call: ResultCall, size_bytes: int) -> web.StreamResponse:
    """Send the bytes as they come; a result that breaks off ends the connection before its Content-Length."""
    response = web.StreamResponse(headers=answers.headers(exchange, PROTOBUF))
    response.content_length = size_bytes
    await response.prepare(exchange.request)
    sent_bytes = 0
    while (part := await _read(call)) is not None:
        sent_bytes += len(part.chunk)
        await _write(response, part.chunk, exchange.services.settings.silence_s)
    if sent_bytes != size_bytes:
        raise Refusal(500, f"The server sent {sent_bytes} of a result's {size_bytes} bytes.")
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, chunk: bytes, silence_s: float) -> None:
    try:
        async with asyncio.timeout(silence_s):
            await response.write(chunk)
    except TimeoutError:
        raise ConnectionAbortedError("the client takes nothing any more") from None


async def _translate(exchange: Exchange, call: ResultCall, size_bytes: int) -> web.StreamResponse:
    limit_bytes = exchange.services.settings.json_max_bytes
    if size_bytes > limit_bytes:
        raise Refusal(
            406,
            f"The result holds {size_bytes} bytes and at most {limit_bytes} are translated into JSON; "
            f"ask for it with Accept: {PROTOBUF}.",
        )
    async with exchange.services.json_turn:
        stored = bytearray()
        while (part := await _read(call)) is not None:
            stored += part.chunk
        body = await asyncio.to_thread(_result_as_json, bytes(stored))
    return answers.answer_bytes(exchange, body, JSON)


def _result_as_json(stored: bytes) -> bytes:
    return to_json(Model_pb2.ModelOutput.FromString(stored))
