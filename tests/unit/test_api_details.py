"""What a program reads of an error: google.rpc's details behind the status."""

from __future__ import annotations

from typing import TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as rpc
from google.rpc import status_pb2

from segint_grpc import errors, logs
from segint_grpc.api.details import DETAILS_METADATA, trailing_metadata
from segint_grpc.api.status import status_of

Detail = TypeVar("Detail", bound=Message)


def sent(error: Exception) -> status_pb2.Status:
    metadata = dict(trailing_metadata(status_of(error), str(error), error, "r-1"))
    assert metadata[logs.REQUEST_ID_METADATA] == "r-1"
    raw = metadata[DETAILS_METADATA]
    assert isinstance(raw, bytes)
    return status_pb2.Status.FromString(raw)


def found(error: Exception, kind: type[Detail]) -> list[Detail]:
    """The details of one kind that go out with `error`."""
    details = []
    for packed in sent(error).details:
        detail = kind()
        if packed.Unpack(detail):
            details.append(detail)
    return details


def test_every_error_names_its_status_sentence_and_request() -> None:
    error = errors.UnknownJob()
    status = sent(error)
    assert (status.code, status.message) == (grpc.StatusCode.NOT_FOUND.value[0], error.message)
    assert [detail.request_id for detail in found(error, rpc.RequestInfo)] == ["r-1"]


def test_each_field_that_is_wrong_is_named() -> None:
    error = errors.InvalidFields({"modalities": "Say which.", "gender": "There is no such."})
    (request,) = found(error, rpc.BadRequest)
    told = {violation.field: violation.description for violation in request.field_violations}
    assert told == error.violations


def test_what_there_is_instead_is_named() -> None:
    error = errors.UnknownFamily("There is none.", "Bonse", ["Bones", "Lungs"])
    (resource,), (info,) = found(error, rpc.ResourceInfo), found(error, rpc.ErrorInfo)
    assert (resource.resource_type, resource.resource_name) == ("Radiomics.ModelFamily", "Bonse")
    assert (info.reason, info.domain) == ("UNKNOWN_FAMILY", "segint")
    assert info.metadata["known"] == "Bones, Lungs"


@pytest.mark.parametrize(
    ("error", "seconds"), [(errors.QueueFull(), 5), (errors.DiskFull(), 30), (errors.Unavailable(), 2)]
)
def test_what_may_succeed_later_says_when_to_try_again(error: errors.SegIntError, seconds: int) -> None:
    assert [retry.retry_delay.seconds for retry in found(error, rpc.RetryInfo)] == [seconds]


@pytest.mark.parametrize("error", [errors.UnknownJob(), errors.InvalidFields({}), ValueError("a patient")])
def test_what_will_not_succeed_later_promises_nothing(error: Exception) -> None:
    assert not found(error, rpc.RetryInfo)


def test_of_the_servers_own_faults_only_the_request_is_told() -> None:
    for error in (ValueError("a patient"), errors.NewerSchema()):
        assert len(sent(error).details) == 1


def test_details_never_outgrow_what_clients_take() -> None:
    error = errors.InvalidFields({f"field_{number}": "is wrong" for number in range(1000)})
    status = sent(error)
    assert status.ByteSize() - len(error.message) < 2200
    assert found(error, rpc.RequestInfo)
    assert found(error, rpc.ErrorInfo)
