"""Everything that can go wrong in the domain, as a tree.

A class's docstring is its default message; what is given in its place names what was wrong, what was
expected and how to mend it, and never holds voxels, patient data or a traceback. No class knows of gRPC
or HTTP: api/status.py looks the gRPC status up by class, the gateway turns that status into HTTP.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping


class SegIntError(Exception):
    """Something went wrong in SegInt."""

    def __init__(self, message: str = "") -> None:
        """Keep `message`, by default the class's docstring."""
        self.message = message or inspect.getdoc(type(self)) or ""
        super().__init__(self.message)


class InvalidRequest(SegIntError):
    """The request cannot be served as it is; sending it again will not help."""


class UnparsableMessage(InvalidRequest):
    """The bytes are no message of the expected type."""


class UnusableInput(InvalidRequest):
    """The scan does not fit what the model asks for."""


class InvalidModel(InvalidRequest):
    """The model's description or files cannot be used."""


class InvalidFields(InvalidRequest):
    """Fields of the request are missing, or hold what they cannot."""

    def __init__(self, violations: Mapping[str, str] | None = None) -> None:
        """Keep `violations`: what is wrong, and how to mend it, by the field's name in the request."""
        self.violations = dict(violations or {})
        super().__init__(" ".join(f"{field}: {text}" for field, text in self.violations.items()))


class NotFound(SegIntError):
    """There is no such thing here."""

    def __init__(self, message: str = "", name: str = "", known: Iterable[str] = ()) -> None:
        """Keep the `name` that was asked for and what is here instead (`known`), where these are known."""
        self.name = name
        self.known = tuple(known)
        super().__init__(message)


class UnknownModel(NotFound):
    """No model of that id is offered here."""


class UnknownJob(NotFound):
    """The segmentation does not exist."""


class UnknownFamily(NotFound):
    """No model family of that name is here."""


class UnknownToken(NotFound):
    """There is no token of that id."""


class UnknownUser(NotFound):
    """There is no user of that name."""


class NotNow(SegIntError):
    """The request makes sense, but not in the present state."""


class StillProcessing(NotNow):
    """The segmentation is still processing."""


class NoResult(NotNow):
    """The segmentation ended without a result, or its result is gone."""


class NoInput(NotNow):
    """The segmentation's scan, as it was posted, is gone."""


class JobsUnfinished(NotNow):
    """Jobs of this model are unfinished."""


class NotApproved(NotNow):
    """A file carries code that no administrator has approved."""


class Outdated(SegIntError):
    """Somebody else has changed it meanwhile."""


class AlreadyExists(SegIntError):
    """There is already such a thing here."""


class TooLarge(SegIntError):
    """The request is larger than a limit of this server."""


class TakesTooLong(TooLarge):
    """The scan would take longer than a job may."""


class Exhausted(SegIntError):
    """The server has no room for the request at present."""


class QueueFull(Exhausted):
    """The queue is full."""


class QueueTooLong(Exhausted):
    """What is before the request would take longer than a job may wait."""


class TooOften(Exhausted):
    """The caller asks too often."""

    def __init__(self, message: str = "", retry_s: float = 1.0) -> None:
        """Keep after how many seconds another try is worth it."""
        super().__init__(message)
        self.retry_s = retry_s


class DiskFull(Exhausted):
    """The disk is full."""


class Unavailable(SegIntError):
    """The server cannot serve this at present."""


class Forbidden(SegIntError):
    """The caller may not do that here."""


class Unauthenticated(SegIntError):
    """A valid token is needed here: send it as `authorization: Bearer TOKEN`.

    It may be missing, mistyped, expired or revoked; an administrator makes one with `segint token create`.
    """

    def __init__(self, message: str = "") -> None:
        """Say the same of whatever is wrong with a credential: a stranger learns nothing from it."""
        super().__init__(message or " ".join((inspect.getdoc(Unauthenticated) or "").split()))


class BadToken(Unauthenticated):
    """A token was shown that is none, or that counts no more; the caller is told as if there were none."""


class StaleLease(SegIntError):
    """The run that reports is not, or no longer, the one that owns the job."""


class RunCutShort(SegIntError):
    """The run was ended from outside, by no fault of its own; the job can run again."""


class NewerSchema(SegIntError):
    """The database was written by a newer release."""


class InvalidSetting(SegIntError):
    """A setting cannot be used."""


class BrokenArchive(SegIntError):
    """The file is no whole backup."""


class RestoreRefused(SegIntError):
    """Nothing was restored."""


class StartRefused(SegIntError):
    """The server cannot start."""


class JobFailure(SegIntError):
    """The job failed for a reason that its owner is told.

    Subclasses name the SegmentationProgress.ErrorCodes value (protos/radiomics/Model.proto) to report.
    """

    error_code = "InternalError"


class Decompression(JobFailure):
    """A volume's data is no intact gzip."""

    error_code = "DecompressionError"


class BufferSizeMismatch(JobFailure):
    """A volume's data inflates to another length than its dimensions say."""

    error_code = "DecompressionBufferSizeMismatch"


class ClientMistake(JobFailure):
    """The request was accepted but cannot be run."""

    error_code = "UnknownClientError"


class ModelFailure(JobFailure):
    """The model failed."""


class WrongOutput(ModelFailure):
    """The model returned something that is no mask for its structures."""


class WorkerDied(ModelFailure):
    """The worker process ended by itself."""


class CheckFailed(ModelFailure):
    """The version failed its check."""


class OutOfMemory(ModelFailure):
    """The model ran out of memory."""


class DeadlineExceeded(JobFailure):
    """The job did not finish before its deadline."""


class UnusableScan(InvalidRequest):
    """The scan cannot be read, or nobody can tell where its voxels lie."""


class ServerRefused(SegIntError):
    """The server refused the request."""


class ServerUnreachable(Unavailable):
    """The server cannot be reached."""


class MissingLibrary(SegIntError):
    """A library that this needs is not installed."""


class Unwritable(SegIntError):
    """A file or folder cannot be written."""
