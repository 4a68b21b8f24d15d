"""Jobs, feedback and telemetry as flat records: the same names in JSON, JSON lines and CSV.

What is absent is null in JSON and empty in CSV, never 0. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2, jobs_pb2

Record = dict[str, Any]

STATE_PREFIX = "JOB_STATE_"


def job_record(line: jobs_pb2.JobSummary) -> Record:
    """Return a line of the list of jobs."""
    job = line.job
    submitted, started, finished = (
        moment_of(job, name) for name in ("submitted_at", "started_at", "finished_at")
    )
    return {
        **progress_record(job),
        "caller": line.caller,
        "owner": line.owner,
        "client_version": line.client_version,
        "submitted_at": _iso(submitted),
        "started_at": _iso(started),
        "finished_at": _iso(finished),
        "waited_s": _seconds(submitted, started),
        "took_s": _seconds(submitted, finished),
        "body_bytes": line.body_bytes,
        "result_bytes": line.result_bytes if line.HasField("result_bytes") else None,
        "warnings": list(job.warnings),
    }


def progress_record(job: job_pb2.JobProgress) -> Record:
    """Return how far a job is."""
    code = Model_pb2.SegmentationProgress.ErrorCodes.Name(job.progress.ErrorCode)
    return {
        "segmentation_id": job.segmentation_id,
        "model_id": job.model_id,
        "state": state_name(job.state),
        "percent": job.progress.Progress,
        "stage": job.stage,
        "jobs_ahead": job.jobs_ahead,
        **_remaining(job),
        "attempt": job.attempt,
        "error_code": code if code != "None" else None,
        "error": job.progress.Errors or None,
    }


def _remaining(job: job_pb2.JobProgress) -> Record:
    """Return how long the job will still take, in seconds."""
    told = job.remaining if job.HasField("remaining") else None
    names = {"remaining_s": "expected_s", "remaining_low_s": "low_s", "remaining_high_s": "high_s"}
    return {name: round(getattr(told, part), 1) if told else None for name, part in names.items()}


def feedback_record(told: jobs_pb2.Feedback) -> Record:
    """Return what a user said, with the structures that it is on by their names."""
    return {**_feedback_facts(told), "structures": _comments(told)}


def feedback_rows(told: jobs_pb2.Feedback) -> list[Record]:
    """Return a row for each structure that a user spoke of, one with none where they spoke of none."""
    facts = _feedback_facts(told)
    nothing = dict.fromkeys(("structure_id", "structure", "structure_score", "structure_comments"))
    return [facts | comment for comment in _comments(told) or [nothing]]


def telemetry_record(told: jobs_pb2.Telemetry) -> Record:
    """Return how a job went from its client's side."""
    telemetry = told.telemetry
    kinds, error = Model_pb2.SegmentationTelemetry.ClientErrorType, telemetry.ClientError
    # A newer client may send a number that has no name here.
    name = kinds.Name(error) if error in kinds.values() else str(error)
    return {
        "received_at": _iso(moment_of(told, "received_at")),
        "segmentation_id": telemetry.SegmentationID,
        "model_id": told.model_id or telemetry.ModelID or None,
        "job_known": bool(told.model_id),
        "upload_ms": telemetry.UploadTimeInMilliseconds,
        "wait_ms": telemetry.SegmentationWaitInMilliseconds,
        "download_ms": telemetry.SegmentationDownloadInMilliseconds,
        "retries": telemetry.NumberOfRetries,
        "client_error": name if name != "None" else None,
        "client_error_information": telemetry.ClientErrorInformation or None,
        "client_version": telemetry.ClientInformation.SoftwareVersion,
    }


def state_name(state: int) -> str:
    """Return a state as people write it, for instance "running"."""
    return job_pb2.JobState.Name(state).removeprefix(STATE_PREFIX).lower()


def moment_of(message: Message, name: str) -> datetime | None:
    """Return the time in the field `name`, UTC, or None where it is absent."""
    if not message.HasField(name):
        return None
    moment: datetime = getattr(message, name).ToDatetime(UTC)
    return moment


def _feedback_facts(told: jobs_pb2.Feedback) -> Record:
    feedback = told.feedback
    return {
        "received_at": _iso(moment_of(told, "received_at")),
        "segmentation_id": feedback.SegmentationID,
        "model_id": told.model_id or None,
        "family": told.canonical_name or None,
        "accepted": feedback.SegmentationAccepted,
        "general_score": _score(feedback, "GeneralScore"),
        "general_comments": feedback.GeneralComments,
        "client_version": feedback.ClientInformation.SoftwareVersion,
    }


def _comments(told: jobs_pb2.Feedback) -> list[Record]:
    names = {structure.StructureID: structure.Name for structure in told.structures}
    return [
        {
            "structure_id": comment.StructureID,
            "structure": names.get(comment.StructureID),
            "structure_score": _score(comment, "Score"),
            "structure_comments": comment.Comments,
        }
        for comment in told.feedback.StructureComments
    ]


def _score(message: Message, name: str) -> float | None:
    return getattr(message, name).Value if message.HasField(name) else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
