from __future__ import annotations

import logging

import grpc
import pytest
from aiohttp import web
from grpc.aio import AioRpcError, Metadata

from http_gateway.refusals import INVALID_REQUEST, Refusal, refusal_for
from segint_grpc import logs

CODES = grpc.StatusCode
SPOKEN = Metadata((logs.REQUEST_ID_METADATA, "abc"))


def status_error(code: grpc.StatusCode, details: str, trailing: Metadata = SPOKEN) -> AioRpcError:
    return AioRpcError(code, Metadata(), trailing, details)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (CODES.INVALID_ARGUMENT, 400),
        (CODES.NOT_FOUND, 400),
        (CODES.FAILED_PRECONDITION, 400),
        (CODES.OUT_OF_RANGE, 413),
        (CODES.UNAUTHENTICATED, 401),
        (CODES.PERMISSION_DENIED, 403),
        (CODES.ALREADY_EXISTS, 409),
        (CODES.ABORTED, 409),
        (CODES.RESOURCE_EXHAUSTED, 503),
        (CODES.UNAVAILABLE, 503),
        (CODES.CANCELLED, 503),
        (CODES.DEADLINE_EXCEEDED, 504),
        (CODES.INTERNAL, 500),
        (CODES.UNKNOWN, 500),
        (CODES.UNIMPLEMENTED, 500),
        (CODES.DATA_LOSS, 500),
    ],
)
def test_each_status_of_the_core_has_its_http_status_and_keeps_the_core_s_sentence(
    code: grpc.StatusCode, status: int
) -> None:
    refusal = refusal_for(status_error(code, "What was wrong."))
    assert (refusal.status, refusal.details) == (status, "What was wrong.")
    assert (refusal.message == INVALID_REQUEST) is (400 <= status < 500)


@pytest.mark.parametrize("code", [CODES.RESOURCE_EXHAUSTED, CODES.UNAVAILABLE])
def test_a_refusal_that_passes_says_when_to_come_again(code: grpc.StatusCode) -> None:
    assert int(refusal_for(status_error(code, "Later.")).headers["Retry-After"]) > 0


@pytest.mark.parametrize("code", list(CODES))
def test_grpc_s_own_texts_stay_in_the_log(code: grpc.StatusCode, caplog: pytest.LogCaptureFixture) -> None:
    error = status_error(code, "connect to unix:/home/secret failed: <class 'ValueError'>", Metadata())
    refusal = refusal_for(error)
    assert "secret" not in refusal.details
    assert refusal.details.endswith(".") or "request id" in refusal.details
    assert "secret" in caplog.text


def test_an_unexpected_error_is_logged_with_its_traceback_and_told_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = refusal_for(ValueError("name of a patient"))
    assert refusal.status == 500
    assert "patient" not in refusal.details
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.records[0].exc_info is not None


def test_a_broken_body_is_the_client_s_mistake() -> None:
    assert refusal_for(web.RequestPayloadError("chunk size")).status == 400


def test_a_refusal_passes_as_it_is() -> None:
    refusal = Refusal(413, "Too large.", {"X": "y"})
    assert refusal_for(refusal) is refusal
