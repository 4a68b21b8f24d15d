"""A job's progress as a stream of events (text/event-stream, HTML Living Standard section 9.2)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
from aiohttp import web

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway import answers
from http_gateway.core import WatchCall
from http_gateway.exchange import Exchange
from http_gateway.mirror import NO_ROUND
from http_gateway.refusals import Refusal, refusal_for

EVENT_STREAM = "text/event-stream"
HEARTBEAT_S = 15.0
"""A comment follows this much silence: proxies keep the connection, and a lost client is noticed."""

FINAL_STATES = frozenset({job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED})


async def events(exchange: Exchange) -> web.StreamResponse:
    """Send an event `progress` for the job's state now and every change, `end` for the final one, then stop.

    Where the core is lost on the way, the event `interrupted` says so; the client may connect again.
    """
    request = pb.WatchProgressRequest(**exchange.job)
    call = exchange.services.core.watch(request, exchange.metadata)
    try:
        job = await _next_job(call)
        if job is None:
            raise Refusal(500, "The server ended the job's progress before it began; its log says more.")
        response = web.StreamResponse(headers=answers.headers(exchange, EVENT_STREAM))
        await response.prepare(exchange.request)
        await _forward(exchange, call, job, response)
        await response.write_eof()
        return response
    finally:
        call.cancel()


async def _forward(
    exchange: Exchange, call: WatchCall, job: job_pb2.JobProgress | None, response: web.StreamResponse
) -> None:
    mirror = exchange.services.mirror
    try:
        while job is not None:
            final = job.state in FINAL_STATES
            # A poll must not fall behind an event.
            mirror.learn_job(job.segmentation_id, job.model_id, job.progress, NO_ROUND, exchange.viewer)
            await response.write(as_event("end" if final else "progress", describe(job)))
            job = None if final else await _await_job(exchange, call, response)
    except grpc.aio.AioRpcError as error:
        details = f"{refusal_for(error).details} (request id {exchange.request_id})"
        await response.write(as_event("interrupted", {"error": details}))


async def _await_job(
    exchange: Exchange, call: WatchCall, response: web.StreamResponse
) -> job_pb2.JobProgress | None:
    """Return the next state, with heartbeats until it comes; None at the stream's or the gateway's end."""
    reading = asyncio.create_task(_next_job(call))
    stopping = asyncio.create_task(exchange.services.stopping.wait())
    try:
        while not reading.done() and not stopping.done():
            done, _ = await asyncio.wait(
                {reading, stopping}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                await response.write(b": waiting\n\n")
        return await reading if reading.done() else None
    finally:
        reading.cancel()
        stopping.cancel()


async def _next_job(call: WatchCall) -> job_pb2.JobProgress | None:
    message = await call.read()
    return message.job if isinstance(message, pb.WatchProgressResponse) else None


def describe(job: job_pb2.JobProgress) -> dict[str, Any]:
    """Return what an event tells of `job`: plain names and values, for a program and for a person."""
    state = job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()
    error_code = Model_pb2.SegmentationProgress.ErrorCodes.Name(job.progress.ErrorCode)
    return {
        "segmentation_id": job.segmentation_id,
        "model_id": job.model_id,
        "state": state,
        "stage": job.stage,
        "percent": job.progress.Progress,
        "jobs_ahead": job.jobs_ahead,
        **_remaining(job),
        "attempt": job.attempt,
        "error": job.progress.Errors,
        "error_code": error_code,
        "warnings": list(job.warnings),
    }


def _remaining(job: job_pb2.JobProgress) -> dict[str, float | None]:
    """Return how long the job will still take, in seconds with one decimal; null where nobody knows."""
    told = job.remaining if job.HasField("remaining") else None
    return {
        "remaining_s": round(told.expected_s, 1) if told else None,
        "remaining_low_s": round(told.low_s, 1) if told else None,
        "remaining_high_s": round(told.high_s, 1) if told else None,
    }


def as_event(name: str, data: dict[str, Any]) -> bytes:
    """Return one event; JSON without line breaks needs a single data line."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
