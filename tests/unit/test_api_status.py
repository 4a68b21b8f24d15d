from __future__ import annotations

import inspect

import grpc
import pytest

from segint_grpc import errors
from segint_grpc.api.status import STATUS_CODES, status_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UnparsableMessage(), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.UnknownJob(), grpc.StatusCode.NOT_FOUND),
        (errors.StillProcessing(), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.Unauthenticated(), grpc.StatusCode.UNAUTHENTICATED),
        (errors.TooOften(), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.QueueFull(), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.TooLarge(), grpc.StatusCode.OUT_OF_RANGE),
        (errors.Outdated(), grpc.StatusCode.ABORTED),
        (errors.NotApproved(), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.WorkerDied(), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.NewerSchema(), grpc.StatusCode.INTERNAL),
        (ValueError("no domain error"), grpc.StatusCode.INTERNAL),
    ],
)
def test_an_error_has_the_status_of_its_nearest_class(error: Exception, code: grpc.StatusCode) -> None:
    assert status_of(error) is code


def test_every_error_that_a_request_can_cause_has_a_status_of_its_own() -> None:
    server_itself = {"SegIntError", "RunCutShort", "NewerSchema", "InvalidSetting", "StartRefused"}
    client_side = {"BrokenArchive", "MissingLibrary", "RestoreRefused", "ServerRefused", "Unwritable"}
    tree = inspect.getmembers(errors, lambda m: inspect.isclass(m) and issubclass(m, errors.SegIntError))
    internal = {name for name, kind in tree if status_of(kind()) is grpc.StatusCode.INTERNAL}
    assert internal == server_itself | client_side


def test_the_table_holds_domain_errors_only() -> None:
    assert all(issubclass(kind, errors.SegIntError) for kind in STATUS_CODES)
