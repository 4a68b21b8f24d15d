"""The routes for a user's feedback and a client's telemetry. Their texts are patient data: never logged."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web
from google.protobuf.message import DecodeError, Message

from generated.radiomics import Model_pb2
from generated.segint.v1 import segmentation_pb2 as pb
from http_gateway import answers, intake
from http_gateway.exchange import Exchange
from http_gateway.refusals import Refusal
from segint_grpc.settings import MIB

OPINION_MAX_BYTES = MIB
KEPT = b"POST successful."

M = TypeVar("M", bound=Message)


async def feedback(exchange: Exchange) -> web.StreamResponse:
    """Keep a SegmentationFeedback, whether or not its job is known."""
    core = exchange.services.core
    message = await _message(exchange, Model_pb2.SegmentationFeedback)
    request = pb.SendFeedbackRequest(feedback=message)
    await core.ask(core.segmentation.SendFeedback, request, exchange.metadata)
    return answers.answer_bytes(exchange, KEPT, answers.TEXT)


async def telemetry(exchange: Exchange) -> web.StreamResponse:
    """Keep a SegmentationTelemetry, whether or not its job is known."""
    core = exchange.services.core
    message = await _message(exchange, Model_pb2.SegmentationTelemetry)
    request = pb.SendTelemetryRequest(telemetry=message)
    await core.ask(core.segmentation.SendTelemetry, request, exchange.metadata)
    return answers.answer_bytes(exchange, KEPT, answers.TEXT)


async def _message(exchange: Exchange, kind: type[M]) -> M:
    body = await intake.read_small(exchange, OPINION_MAX_BYTES)
    try:
        return kind.FromString(body)
    except DecodeError:
        raise Refusal(400, f"The body is no {kind.DESCRIPTOR.full_name} message.") from None
