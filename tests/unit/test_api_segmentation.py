"""What a job is on the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from generated.radiomics import Model_pb2
from generated.segint.v1 import job_pb2
from segint_grpc.api.segmentation import STATES, progress_of
from segint_grpc.domain.jobs import Job, JobState
from segint_grpc.service.job_view import JobView

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ErrorCodes = Model_pb2.SegmentationProgress.ErrorCodes
JOB = Job(
    id="0b0c1f5e-6a0e-4f0e-9d39-2f9b3a9e8a11",
    model_id="Centered Orange Square",
    state=JobState.RUNNING,
    percent=40,
    stage="infer",
    error_code="",
    error_text="",
    caller="192.0.2.7",
    body_sha256="a" * 64,
    body_bytes=3,
    submitted_at=NOW,
    deadline_at=NOW + timedelta(seconds=1185),
    started_at=None,
    finished_at=None,
    attempt=1,
    result_bytes=None,
    result_sha256="",
    warnings=("The channel was sent as x.",),
)


def test_every_state_has_its_number() -> None:
    assert set(STATES) == set(JobState)
    assert sorted(STATES.values()) == sorted(value for value in job_pb2.JobState.values() if value)


def test_a_running_job_has_neither_errors_nor_an_end() -> None:
    view = progress_of(JobView(JOB, jobs_ahead=2))
    assert (view.progress.Progress, view.progress.Errors, view.progress.ErrorCode) == (40, "", 0)
    assert (view.jobs_ahead, view.stage, list(view.warnings)) == (2, "infer", list(JOB.warnings))
    assert view.submitted_at.ToDatetime(UTC) == NOW
    assert not view.HasField("started_at")
    assert not view.HasField("finished_at")


@pytest.mark.parametrize(
    ("state", "code", "text", "told"),
    [
        (JobState.SUCCEEDED, "", "", ("None", "")),
        (JobState.FAILED, "DecompressionError", "No gzip.", ("DecompressionError", "No gzip.")),
        (JobState.CANCELLED, "", "", ("UnknownClientError", "The segmentation was cancelled.")),
    ],
)
def test_what_has_ended_tells_velocity_how(
    state: JobState, code: str, text: str, told: tuple[str, str]
) -> None:
    job = replace(JOB, state=state, error_code=code, error_text=text, started_at=NOW, finished_at=NOW)
    view = progress_of(JobView(job))
    assert (ErrorCodes.Name(view.progress.ErrorCode), view.progress.Errors) == told
    assert view.finished_at.ToDatetime(UTC) == view.started_at.ToDatetime(UTC) == NOW
