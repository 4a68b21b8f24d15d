"""Jobs, their timelines and what was said of them, as messages of segint.v1.Jobs."""

from __future__ import annotations

import logging

from google.protobuf.message import DecodeError, Message

from generated.radiomics import Model_pb2
from generated.segint.v1 import jobs_pb2
from segint_grpc.api.segmentation import progress_of
from segint_grpc.api.timestamps import timestamp
from segint_grpc.domain.timeline import Event, Run
from segint_grpc.service.job_view import JobView
from segint_grpc.service.opinions import OpinionView

log = logging.getLogger(__name__)


def summary(view: JobView) -> jobs_pb2.JobSummary:
    """Return a job as a line of a list."""
    job = view.job
    return jobs_pb2.JobSummary(
        job=progress_of(view),
        caller=job.caller,
        owner=job.owner,
        client_version=job.client_version,
        body_bytes=job.body_bytes,
        result_bytes=job.result_bytes,
        deadline_at=timestamp(job.deadline_at),
    )


def event_message(event: Event) -> jobs_pb2.JobEvent:
    """Return a line of a timeline."""
    return jobs_pb2.JobEvent(at=timestamp(event.at), kind=event.kind, text=event.text)


def run_message(run: Run) -> jobs_pb2.JobRun:
    """Return a run; what it has no end of yet is absent."""
    return jobs_pb2.JobRun(
        attempt=run.attempt,
        slot=run.slot,
        started_at=timestamp(run.started_at),
        ended_at=timestamp(run.ended_at) if run.ended_at else None,
        outcome=run.outcome or "",
        reason=run.reason,
        peak_memory_bytes=run.peak_memory_bytes,
    )


def feedback_message(view: OpinionView) -> jobs_pb2.Feedback:
    """Return feedback with what it belongs to. Scores that were not given stay absent."""
    opinion = view.opinion
    feedback = Model_pb2.SegmentationFeedback(SegmentationID=opinion.segmentation_id)
    _read(feedback, opinion.body)
    return jobs_pb2.Feedback(
        received_at=timestamp(opinion.received_at),
        feedback=feedback,
        model_id=opinion.model_id,
        canonical_name=view.version.canonical_name,
        structures=view.version.structures,
    )


def telemetry_message(view: OpinionView) -> jobs_pb2.Telemetry:
    """Return telemetry with what it belongs to."""
    opinion = view.opinion
    telemetry = Model_pb2.SegmentationTelemetry(SegmentationID=opinion.segmentation_id)
    _read(telemetry, opinion.body)
    return jobs_pb2.Telemetry(
        received_at=timestamp(opinion.received_at), telemetry=telemetry, model_id=opinion.model_id
    )


def _read(message: Message, body: bytes) -> None:
    """Fill `message` from `body`; one that is broken must not hide the others, and stays as it is."""
    read = type(message)()
    try:
        read.ParseFromString(body)
    except DecodeError:
        log.warning("a stored opinion cannot be read")
        return
    message.CopyFrom(read)
