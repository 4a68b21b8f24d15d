"""Which gRPC status each domain error becomes: one table, looked up along the error's class hierarchy."""

from __future__ import annotations

import grpc

from segint_grpc import errors

STATUS_CODES: dict[type[errors.SegIntError], grpc.StatusCode] = {
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.NotNow: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.TooLarge: grpc.StatusCode.OUT_OF_RANGE,
    errors.Exhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.Outdated: grpc.StatusCode.ABORTED,
    errors.StaleLease: grpc.StatusCode.ABORTED,
    errors.JobFailure: grpc.StatusCode.FAILED_PRECONDITION,
}
"""An error of no class in here is the server's own fault: INTERNAL."""


def status_of(error: BaseException) -> grpc.StatusCode:
    """Return the status of `error`'s nearest class in the table, INTERNAL where there is none."""
    codes = (STATUS_CODES[kind] for kind in type(error).__mro__ if kind in STATUS_CODES)
    return next(codes, grpc.StatusCode.INTERNAL)
