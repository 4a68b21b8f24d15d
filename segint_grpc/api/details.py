"""What a program can read of an error beside its sentence: google.rpc's error details.

They travel as gRPC's richer error model has it (https://google.aip.dev/193): a serialized google.rpc.Status
in the trailing metadata `grpc-status-details-bin`. The request id also stays in metadata of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from segint_grpc import errors, logs

Value = TypeVar("Value")

DETAILS_METADATA = "grpc-status-details-bin"
DOMAIN = "segint"

DETAILS_BYTES = 2048
"""More does not go out: clients take 8 KiB of metadata, in which the sentence is told twice already."""

KNOWN_MAX = 20

RETRY_DELAY_S: dict[type[errors.SegIntError], int] = {
    errors.QueueFull: 5,
    errors.QueueTooLong: 60,
    errors.Exhausted: 30,
    errors.Unavailable: 2,
}
"""When another try is worth it, by the error's nearest class."""

RESOURCE_TYPES: dict[type[errors.SegIntError], str] = {
    errors.UnknownModel: "Radiomics.ModelVersion",
    errors.UnknownFamily: "Radiomics.ModelFamily",
    errors.UnknownJob: "Radiomics.SegmentationTask",
    errors.UnknownToken: "segint.v1.Token",
    errors.UnknownUser: "segint.v1.User",
    errors.NotFound: "segint.v1.ModelFile",
}
"""What there is none of, by the error's nearest class."""


def trailing_metadata(
    code: grpc.StatusCode, message: str, error: Exception, request_id: str
) -> tuple[tuple[str, str | bytes], ...]:
    """Return the metadata that end an RPC with `code` and `message`, the status that `error` became."""
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.RequestInfo(request_id=request_id))
    told = code is not grpc.StatusCode.INTERNAL and isinstance(error, errors.SegIntError)
    for detail in _details(error) if told else ():
        if status.ByteSize() + detail.ByteSize() <= len(message.encode()) + DETAILS_BYTES:
            status.details.add().Pack(detail)
    return ((logs.REQUEST_ID_METADATA, request_id), (DETAILS_METADATA, status.SerializeToString()))


def _details(error: Exception) -> Iterator[Message]:
    """Yield what is known of `error`, the most useful first."""
    if isinstance(error, errors.InvalidFields):
        yield _bad_request(error)
    delay_s = error.retry_s if isinstance(error, errors.TooOften) else _nearest(RETRY_DELAY_S, error)
    if delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(math.ceil(delay_s))
        yield retry
    yield _error_info(error)
    resource_type = _nearest(RESOURCE_TYPES, error)
    if isinstance(error, errors.NotFound) and resource_type is not None:
        yield error_details_pb2.ResourceInfo(resource_type=resource_type, resource_name=error.name)


def _bad_request(error: errors.InvalidFields) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    told = [violation(field=field, description=text) for field, text in error.violations.items()]
    return error_details_pb2.BadRequest(field_violations=told)


def _error_info(error: Exception) -> error_details_pb2.ErrorInfo:
    """Return the error's name, UNKNOWN_FAMILY for UnknownFamily, and what there is instead."""
    reason = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()
    known = error.known[:KNOWN_MAX] if isinstance(error, errors.NotFound) else ()
    metadata = {"known": ", ".join(known)} if known else {}
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)


def _nearest(table: dict[type[errors.SegIntError], Value], error: Exception) -> Value | None:
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)
